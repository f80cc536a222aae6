using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>Where an interrupted restore was resumed.</summary>
internal sealed record ResumedRestore
{
    /// <summary>The backup that was received next.</summary>
    public required string SnapshotId { get; init; }

    /// <summary>Bytes of its stream that were already received, as ZFS counts them.</summary>
    public required long StreamBytes { get; init; }

    public static ResumedRestore Of(RestorePlan plan, IReadOnlyList<SnapshotInfo> chain)
    {
        if (plan.First == chain.Count)
            return new ResumedRestore { SnapshotId = chain[^1].SnapshotId, StreamBytes = chain[^1].StreamBytes };
        var streamBytes = (long)(plan.Token?.Bytes ?? 0);
        return new ResumedRestore { SnapshotId = chain[plan.First].SnapshotId, StreamBytes = streamBytes };
    }
}
