using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>What a restore has received so far, and may be an earlier run's.</summary>
/// <param name="Received">The <see cref="ChainDigest"/> of what is received last; null if none was noted.</param>
/// <param name="Snapshots">Its snapshots, oldest first.</param>
/// <param name="Token">Its property <c>receive_resume_token</c>; null if it has none.</param>
internal sealed record PartialDataset(string? Received, IReadOnlyList<PartialSnapshot> Snapshots, string? Token)
{
    /// <summary>Whether it has the mark of a restore, and not only from a dataset above it.</summary>
    public bool IsMarked { get; init; }
}

/// <summary>A snapshot of a dataset that is being restored.</summary>
/// <param name="Name">Its full name.</param>
/// <param name="Guid">A received snapshot has its source's.</param>
/// <param name="IsMadeHere">
/// Whether it is not older than the dataset. A received snapshot has the time at which its source was made, so it
/// usually is; another program's snapshot never is.
/// </param>
internal sealed record PartialSnapshot(SnapshotName Name, SnapshotGuid Guid, bool IsMadeHere)
{
    public static PartialSnapshot Of(LocalSnapshot snapshot, DateTimeOffset datasetCreation) =>
        new(snapshot.Name, snapshot.Guid, snapshot.Creation >= datasetCreation);
}
