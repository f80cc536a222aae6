using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Chooses the backups of the descendants of a restored dataset. A pure function of the list, without I/O.
/// </summary>
/// <param name="Children">One for each descendant, parents before children.</param>
/// <param name="Missing">Descendants that have backups, but none of this snapshot.</param>
internal sealed record TreePlan(IReadOnlyList<SnapshotInfo> Children, IReadOnlyList<string> Missing)
{
    /// <summary>
    /// Snapshots made together (<c>zfs-client backup --recursive</c>) have the same name. If a name was used again, the
    /// one counts whose time is nearest to the root's.
    /// </summary>
    /// <param name="root">The backup that is restored.</param>
    /// <param name="backups">All of the client's backups.</param>
    public static TreePlan Make(SnapshotInfo root, IEnumerable<SnapshotInfo> backups)
    {
        var below = backups
            .Where(backup => IsBelow(root.DatasetName, backup))
            .GroupBy(backup => backup.DatasetName, StringComparer.Ordinal)
            .OrderBy(dataset => dataset.Key, StringComparer.Ordinal)
            .Select(dataset => (dataset.Key, Backup: FindNearest(root, dataset)))
            .ToList();
        return new TreePlan(
            [.. below.Select(dataset => dataset.Backup).OfType<SnapshotInfo>()],
            [.. below.Where(dataset => dataset.Backup is null).Select(dataset => dataset.Key)]
        );
    }

    /// <summary>Leaves datasets out, with their descendants.</summary>
    public TreePlan Without(IReadOnlyList<string> excluded)
    {
        return new TreePlan(
            [.. Children.Where(child => !IsExcluded(child.DatasetName))],
            [.. Missing.Where(missing => !IsExcluded(missing))]
        );

        bool IsExcluded(string dataset) =>
            excluded.Any(name => dataset == name || dataset.StartsWith($"{name}/", StringComparison.Ordinal));
    }

    public static bool IsBelow(string root, SnapshotInfo backup) =>
        backup.DatasetName.Length > root.Length
        && backup.DatasetName[root.Length] == '/'
        && backup.DatasetName.StartsWith(root, StringComparison.Ordinal);

    /// <summary>Two machines may have made snapshots of one name. Backups of older clients name no machine.</summary>
    public static bool IsOfSameMachine(SnapshotInfo root, SnapshotInfo backup) =>
        root.MachineId is not { } one || backup.MachineId is not { } other || one == other;

    private static SnapshotInfo? FindNearest(SnapshotInfo root, IEnumerable<SnapshotInfo> dataset) =>
        dataset
            .Where(backup => backup.SnapshotName == root.SnapshotName && IsOfSameMachine(root, backup))
            .MinBy(backup => (backup.Timestamp - root.Timestamp).Duration());
}
