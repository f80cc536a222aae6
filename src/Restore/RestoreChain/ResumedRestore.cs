using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>Where an interrupted restore was resumed.</summary>
internal sealed record ResumedRestore
{
    /// <summary>The backup that was received next.</summary>
    public required string SnapshotId { get; init; }

    /// <summary>Bytes of its stream that were already received, as ZFS counts them.</summary>
    public required long StreamBytes { get; init; }

    /// <summary>Everything was received before.</summary>
    public static ResumedRestore OfAll(IReadOnlyList<SnapshotInfo> chain) =>
        new() { SnapshotId = chain[^1].SnapshotId, StreamBytes = chain[^1].StreamBytes };

    public static ResumedRestore Of(RestorePlan plan, IReadOnlyList<SnapshotInfo> chain)
    {
        if (plan.First == chain.Count)
            return OfAll(chain);
        var streamBytes = (long)(plan.Token?.Bytes ?? 0);
        return new ResumedRestore { SnapshotId = chain[plan.First].SnapshotId, StreamBytes = streamBytes };
    }
}
