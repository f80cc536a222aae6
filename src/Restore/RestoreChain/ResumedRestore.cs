using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>Where a restore went on that was interrupted before.</summary>
internal sealed record ResumedRestore
{
    /// <summary>The backup that was received next.</summary>
    public required string SnapshotId { get; init; }

    /// <summary>Bytes of its stream that were there, as ZFS counts them.</summary>
    public required long StreamBytes { get; init; }

    public static ResumedRestore Of(RestorePlan plan, IReadOnlyList<SnapshotInfo> chain) =>
        plan.First == chain.Count
            ? new ResumedRestore { SnapshotId = chain[^1].SnapshotId, StreamBytes = chain[^1].StreamBytes }
            : new ResumedRestore
            {
                SnapshotId = chain[plan.First].SnapshotId,
                StreamBytes = (long)(plan.Token?.Bytes ?? 0),
            };
}
