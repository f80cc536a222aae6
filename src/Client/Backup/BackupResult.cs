using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>What a backup did, or would do.</summary>
internal sealed record BackupResult
{
    public bool Success { get; init; } = true;

    public required bool DryRun { get; init; }

    public required string Snapshot { get; init; }

    /// <summary><c>full</c> or <c>incremental</c>.</summary>
    public required string Kind { get; init; }

    public required string Reason { get; init; }

    /// <summary>The bookmark or snapshot that an incremental started from.</summary>
    public string? Base { get; init; }

    public SnapshotInfo? Backup { get; init; }

    public static BackupResult Planned(SnapshotName snapshot, BackupPlan plan) => Make(snapshot.ToString(), plan, null);

    public static BackupResult Done(SnapshotInfo backup, BackupPlan plan) => Make($"{backup.DatasetName}@{backup.SnapshotName}", plan, backup);

    private static BackupResult Make(string snapshot, BackupPlan plan, SnapshotInfo? backup) => new()
    {
        DryRun = backup is null,
        Snapshot = snapshot,
        Kind = plan.IsIncremental ? "incremental" : "full",
        Reason = plan.Reason,
        Base = plan.Base?.Name.ToString(),
        Backup = backup,
    };
}
