using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>What a backup did, or would do.</summary>
internal sealed record BackupResult
{
    public string Dataset => Snapshot.Split('@')[0];

    public required bool DryRun { get; init; }

    public required string Snapshot { get; init; }

    /// <summary><c>full</c> or <c>incremental</c>.</summary>
    public required string Kind { get; init; }

    public required string Reason { get; init; }

    /// <summary>The bookmark or snapshot on which an incremental is based.</summary>
    public string? Base { get; init; }

    public SnapshotInfo? Backup { get; init; }

    /// <summary>The interrupted backup that was finished first; left out if there was none.</summary>
    public ResumedBackup? Resumed { get; init; }

    public static BackupResult Planned(SnapshotName snapshot, BackupPlan plan) => Make(snapshot.ToString(), plan, null);

    /// <param name="snapshot">What was sent: the server's answer may name anything.</param>
    public static BackupResult Done(
        SnapshotName snapshot,
        SnapshotInfo backup,
        BackupPlan plan,
        ResumedBackup? resumed
    ) => Make(snapshot.ToString(), plan, backup) with { Resumed = resumed };

    /// <summary>The result of a run that only had to finish an interrupted backup.</summary>
    public static BackupResult OnlyResumed(ResumedBackup resumed) =>
        new()
        {
            DryRun = false,
            Snapshot = resumed.Snapshot,
            Kind = resumed.Base is null ? "full" : "incremental",
            Reason = "an interrupted backup was finished",
            Base = resumed.Base,
            Backup = resumed.Backup,
            Resumed = resumed,
        };

    private static BackupResult Make(string snapshot, BackupPlan plan, SnapshotInfo? backup) =>
        new()
        {
            DryRun = backup is null,
            Snapshot = snapshot,
            Kind = plan.IsIncremental ? "incremental" : "full",
            Reason = plan.Reason,
            Base = plan.Base?.Name.ToString(),
            Backup = backup,
        };
}

/// <summary>A backup that an earlier run began and this one finished.</summary>
internal sealed record ResumedBackup
{
    public required string Snapshot { get; init; }

    /// <summary>The bookmark or snapshot on which an incremental is based.</summary>
    public string? Base { get; init; }

    /// <summary>Bytes of the stream that the server already had.</summary>
    public required long FromBytes { get; init; }

    public required SnapshotInfo Backup { get; init; }
}
