using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Chooses the backups of the descendants of a restored dataset. A pure function of the list, without I/O.
/// </summary>
/// <param name="Children">One for each descendant, parents before children.</param>
/// <param name="Missing">Descendants that have backups, but none of this snapshot.</param>
internal sealed record TreePlan(IReadOnlyList<SnapshotInfo> Children, IReadOnlyList<string> Missing)
{
    /// <summary>Snapshots made together (<c>zfs-client backup --recursive</c>) have the same name.</summary>
    /// <param name="root">The backup that is restored.</param>
    /// <param name="backups">All of the client's backups.</param>
    public static TreePlan Make(SnapshotInfo root, IEnumerable<SnapshotInfo> backups)
    {
        var below = backups
            .Where(backup => backup.DatasetName.StartsWith(root.DatasetName + "/", StringComparison.Ordinal))
            .GroupBy(backup => backup.DatasetName, StringComparer.Ordinal)
            .OrderBy(dataset => dataset.Key, StringComparer.Ordinal)
            .Select(dataset =>
                (dataset.Key, Backup: dataset.FirstOrDefault(backup => backup.SnapshotName == root.SnapshotName))
            )
            .ToList();
        return new TreePlan(
            [.. below.Select(dataset => dataset.Backup).OfType<SnapshotInfo>()],
            [.. below.Where(dataset => dataset.Backup is null).Select(dataset => dataset.Key)]
        );
    }
}
