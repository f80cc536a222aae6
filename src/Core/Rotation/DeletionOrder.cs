using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>
/// The order in which backups may be deleted one by one: the oldest chain first, and in a chain what is built upon
/// others before them.
/// </summary>
public static class DeletionOrder
{
    /// <param name="deletable">What may go; nothing else may be restored upon it.</param>
    /// <param name="chains">Of all of the client's backups.</param>
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
                continue; // and all upon it
            List<SnapshotInfo> tree = [oldest]; // whatever is built upon it, each behind its base
            for (var index = 0; index < tree.Count; index++)
                tree.AddRange(dependents[tree[index].SnapshotId]);
            tree.Reverse();
            order.AddRange(tree.Where(backup => done.Add(backup.SnapshotId)));
        }

        return order;
    }
}
