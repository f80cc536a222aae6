using System.Text.Json.Serialization;
using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Rotation;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary>What <c>snapshot</c> did, or would do.</summary>
internal sealed record SnapshotResult
{
    public bool Success { get; init; } = true;

    public required bool DryRun { get; init; }

    public required string Snapshot { get; init; }

    /// <summary>Left out if it is not sent.</summary>
    public BackupResult? Backup { get; init; }

    public required LocalRotationResult Rotation { get; init; }
}

/// <summary>What <c>snapshot</c> did with several datasets, or would do.</summary>
internal sealed record SnapshotSetResult
{
    [JsonPropertyOrder(-1)]
    public bool Success =>
        Failures.Count == 0 && Backups?.Success != false && Rotations.All(rotation => rotation.Success);

    public required bool DryRun { get; init; }

    public required IReadOnlyList<string> Snapshots { get; init; }

    /// <summary>Datasets that got no snapshot; if they are sent, those of <see cref="Backups"/> count.</summary>
    public required IReadOnlyList<DatasetFailure> Failures { get; init; }

    /// <summary>Left out if they are not sent.</summary>
    public BackupSetResult? Backups { get; init; }

    public required IReadOnlyList<LocalRotationResult> Rotations { get; init; }

    /// <summary>The result of a set of one dataset, in the shape that is printed for a single dataset.</summary>
    public SnapshotResult Single() =>
        new()
        {
            DryRun = DryRun,
            Snapshot = Snapshots.Single(),
            Backup = Backups?.Results.Single(),
            Rotation = Rotations.Single(),
        };
}
