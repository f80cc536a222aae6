using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Rotation;

/// <summary>What a rotation on this machine did, or would do.</summary>
internal sealed record LocalRotationResult
{
    [JsonPropertyOrder(-1)]
    public bool Success => FailedCount == 0;

    public required string Dataset { get; init; }

    public required bool DryRun { get; init; }

    public required RotationPolicy RotationPolicy { get; init; }

    public required bool ServerManaged { get; init; }

    public int DestroyedCount => DryRun ? 0 : Count("destroy");

    public int FailedCount => Count("failed");

    /// <summary>The newest first.</summary>
    public required IReadOnlyList<LocalRotationItem> Decisions { get; init; }

    public int Count(string action) => Decisions.Count(item => item.Action == action);
}

/// <summary>What became of one snapshot or bookmark.</summary>
internal sealed record LocalRotationItem
{
    public required string Name { get; init; }

    public required SnapshotType? SnapshotType { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary><c>keep</c>, <c>destroy</c> or <c>failed</c>.</summary>
    public required string Action { get; init; }

    public required string Reason { get; init; }
}

/// <summary>What <c>snapshot</c> did, or would do.</summary>
internal sealed record SnapshotResult
{
    public bool Success { get; init; } = true;

    public required bool DryRun { get; init; }

    public required string Snapshot { get; init; }

    /// <summary>Left out where it is not sent.</summary>
    public Backup.BackupResult? Backup { get; init; }

    public required LocalRotationResult Rotation { get; init; }
}

/// <summary>The same of several datasets.</summary>
internal sealed record SnapshotSetResult
{
    [JsonPropertyOrder(-1)]
    public bool Success => Backups?.Success != false && Rotations.All(rotation => rotation.Success);

    public required bool DryRun { get; init; }

    public required IReadOnlyList<string> Snapshots { get; init; }

    /// <summary>Left out where they are not sent.</summary>
    public Backup.BackupSetResult? Backups { get; init; }

    public required IReadOnlyList<LocalRotationResult> Rotations { get; init; }
}
