using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// The backups of a dataset and its descendants as sets: those of one moment, whose snapshots have the same name. Pure,
/// without I/O.
/// </summary>
internal sealed class TreeSets
{
    /// <summary>By the root's snapshot ID: the descendants with a backup of its moment.</summary>
    private readonly Dictionary<string, HashSet<string>> _members = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IReadOnlyList<string>> _lacks = new(StringComparer.Ordinal);

    /// <param name="roots">The backups of the tree's root, newest first.</param>
    /// <param name="backups">All of the client's backups.</param>
    /// <param name="isComplete">Whether a backup's chain is complete; others cannot be restored.</param>
    public TreeSets(
        IReadOnlyList<SnapshotInfo> roots,
        IEnumerable<SnapshotInfo> backups,
        Func<SnapshotInfo, bool> isComplete
    )
    {
        var moments = roots.ToLookup(root => root.SnapshotName, StringComparer.Ordinal);
        foreach (var root in roots)
            _members[root.SnapshotId] = new HashSet<string>(StringComparer.Ordinal);
        foreach (var backup in backups)
        {
            foreach (var root in moments[backup.SnapshotName])
            {
                if (
                    TreePlan.IsBelow(root.DatasetName, backup)
                    && TreePlan.IsOfSameMachine(root, backup)
                    && isComplete(backup)
                )
                    _members[root.SnapshotId].Add(backup.DatasetName);
            }
        }

        // From the oldest on: a set is compared with the one before it that had descendants at all.
        HashSet<string> before = [];
        foreach (var root in roots.Reverse())
        {
            var members = _members[root.SnapshotId];
            var lacks = before.Except(members, StringComparer.Ordinal);
            if (!isComplete(root))
                lacks = lacks.Prepend(root.DatasetName);
            _lacks[root.SnapshotId] = [.. lacks.Order(StringComparer.Ordinal)];
            if (members.Count > 0)
                before = members;
        }
    }

    /// <summary>The number of descendants with a backup of this moment.</summary>
    public int CountDescendants(SnapshotInfo root) => _members[root.SnapshotId].Count;

    /// <summary>
    /// Which datasets the set of this backup lacks: those that the set before it has. So a dataset that no longer
    /// exists is missing from one set only, and a backup of the root alone is no set.
    /// </summary>
    public IReadOnlyList<string> LacksOf(SnapshotInfo root) => _lacks[root.SnapshotId];
}
