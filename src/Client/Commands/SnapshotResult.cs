using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Rotation;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary>What <c>snapshot</c> did with one dataset, or would do.</summary>
internal sealed record SnapshotResult
{
    public required string Dataset { get; init; }

    public required bool DryRun { get; init; }

    /// <summary>Left out if none was taken.</summary>
    public string? Snapshot { get; init; }

    /// <summary>Left out if it is not sent.</summary>
    public BackupResult? Backup { get; init; }

    /// <summary>Left out if its snapshots were not rotated.</summary>
    public LocalRotationResult? Rotation { get; init; }
}

/// <summary>What <c>snapshot</c> did with all datasets, or would do.</summary>
internal sealed record SnapshotSetResult
{
    public bool Success =>
        Failures.Count == 0 && Backups?.Success != false && Rotations.All(rotation => rotation.Success);

    public required bool DryRun { get; init; }

    public required IReadOnlyList<string> Snapshots { get; init; }

    /// <summary>Datasets that got no snapshot; if they are sent, those of <see cref="Backups"/> count.</summary>
    public required IReadOnlyList<DatasetFailure> Failures { get; init; }

    /// <summary>Null if they are not sent.</summary>
    public BackupSetResult? Backups { get; init; }

    public required IReadOnlyList<LocalRotationResult> Rotations { get; init; }

    /// <summary>The same for each dataset that anything was done with.</summary>
    public IEnumerable<SnapshotResult> ByDataset()
    {
        var snapshots = Snapshots.ToDictionary(name => name.Split('@')[0], StringComparer.Ordinal);
        var backups = (Backups?.Results ?? []).ToDictionary(backup => backup.Dataset, StringComparer.Ordinal);
        var rotations = Rotations
            .Where(rotation => rotation.Message is null)
            .ToDictionary(rotation => rotation.Dataset, StringComparer.Ordinal);
        return snapshots
            .Keys.Union(rotations.Keys, StringComparer.Ordinal)
            .Order(StringComparer.Ordinal)
            .Select(dataset => new SnapshotResult
            {
                Dataset = dataset,
                DryRun = DryRun,
                Snapshot = snapshots.GetValueOrDefault(dataset),
                Backup = backups.GetValueOrDefault(dataset),
                Rotation = rotations.GetValueOrDefault(dataset),
            });
    }

    /// <summary>What failed in any of the steps.</summary>
    public IEnumerable<CommandFailure> AllFailures() =>
        Failures
            .Concat(Backups?.Failures ?? [])
            .Select(failure => failure.Json)
            .Concat(LocalRotationResult.FailuresOf(Rotations));
}
