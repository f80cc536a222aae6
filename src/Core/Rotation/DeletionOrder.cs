using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;

namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>
/// The order in which backups may be deleted one by one: the oldest chain first, and in a chain each backup before its
/// base.
/// </summary>
public static class DeletionOrder
{
    /// <param name="deletable">What may be deleted; no other backup may be restored on them.</param>
    /// <param name="chains">The chains of all backups of the client.</param>
    public static IReadOnlyList<SnapshotInfo> Of(IEnumerable<SnapshotInfo> deletable, BackupChains chains)
    {
        var oldestFirst = BackupTimes.NewestFirst(deletable).Reverse().ToList();
        var dependents = oldestFirst
            .Where(backup => chains.BaseOf(backup) is not null)
            .ToLookup(backup => chains.BaseOf(backup)!.SnapshotId, StringComparer.Ordinal);
        var done = new HashSet<string>(StringComparer.Ordinal);
        List<SnapshotInfo> order = new(oldestFirst.Count);
        foreach (var oldest in oldestFirst)
        {
            if (done.Contains(oldest.SnapshotId))
                continue; // and everything built on it
            List<SnapshotInfo> tree = [oldest]; // and everything built on it, each after its base
            for (var index = 0; index < tree.Count; index++)
                tree.AddRange(dependents[tree[index].SnapshotId]);
            tree.Reverse();
            order.AddRange(tree.Where(backup => done.Add(backup.SnapshotId)));
        }

        return order;
    }
}
