using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>
/// The snapshots from which the next incremental backup of a dataset may start. An incremental is stored where its base
/// is, and one client may back up to both storages (STORAGE_TYPE), so each has a base of its own.
/// </summary>
public static class NextBases
{
    /// <param name="local">The dataset's snapshots and bookmarks.</param>
    /// <param name="restorable">The backups of them that can be restored.</param>
    /// <returns>The newest in each storage, and the newest that the server accepts as a base.</returns>
    public static IReadOnlySet<SnapshotGuid> Find(
        IEnumerable<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> restorable
    )
    {
        LocalSnapshot[] newestFirst = [.. local.OrderByDescending(snapshot => snapshot.CreateTxg)];
        HashSet<SnapshotGuid> bases = [];
        foreach (var stored in restorable.GroupBy(backup => backup.StorageType, StringComparer.Ordinal))
            AddNewest(stored);
        AddNewest(restorable.Where(backup => backup.CanBeBase != false));
        return bases;

        void AddNewest(IEnumerable<SnapshotInfo> backups)
        {
            var guids = backups.Select(backup => backup.SnapshotGuid).ToHashSet();
            if (Array.Find(newestFirst, snapshot => guids.Contains(snapshot.Guid)) is { } newest)
                bases.Add(newest.Guid);
        }
    }
}
