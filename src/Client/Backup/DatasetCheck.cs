using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>What keeps a dataset from being snapshotted or backed up, known before ZFS is asked to.</summary>
internal static class DatasetCheck
{
    /// <param name="dataset">The dataset.</param>
    /// <param name="leaf">The part of the snapshot's name behind '@'.</param>
    /// <returns>Null if nothing is known to prevent a snapshot.</returns>
    public static OperationException? FindObstacleToSnapshot(DatasetFacts dataset, string leaf)
    {
        var tooLong = dataset.Name.Value.Length + 1 + leaf.Length - DatasetName.MaxLength;
        if (tooLong > 0)
            return new OperationException(
                ExitCode.Conflict,
                $"{dataset.Name} can have no snapshot named {leaf}: together they are {tooLong} characters too long.",
                "Choose a shorter SNAPSHOT_PREFIX, or rename the dataset or one above it ('zfs rename')."
            );
        return dataset.IsIncomplete
            ? new OperationException(
                ExitCode.Zfs,
                $"{dataset.Name} is incomplete: a zfs receive into it is running or was interrupted.",
                $"Let it finish, drop it with 'zfs receive -A {dataset.Name}', or exclude it (EXCLUDE)."
            )
            : null;
    }

    /// <returns>Null if nothing is known to prevent a backup.</returns>
    public static OperationException? FindObstacleToBackup(DatasetFacts dataset, string leaf)
    {
        // Tried on OpenZFS 2.3.2: the copy that is received has zeros in place of the redacted data, and no longer the
        // property that says so.
        if (dataset.IsRedacted)
            return new OperationException(
                ExitCode.Conflict,
                $"{dataset.Name} is a redacted dataset. A copy would silently contain zeros in place of the redacted "
                    + "data.",
                "Back up the dataset it was made from, and exclude this one (EXCLUDE)."
            );
        return FindObstacleToSnapshot(dataset, leaf);
    }
}
