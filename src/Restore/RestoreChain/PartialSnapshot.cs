using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

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
