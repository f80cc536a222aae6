using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Which backups belong to the datasets below one that is restored. Decided from the list alone, without I/O.
/// </summary>
/// <param name="Children">One for each dataset, what holds others before them.</param>
/// <param name="Missing">Datasets that have backups, but none of this snapshot.</param>
internal sealed record TreePlan(IReadOnlyList<SnapshotInfo> Children, IReadOnlyList<string> Missing)
{
    /// <summary>Snapshots that were made together have one name (<c>zfs-client backup --recursive</c>).</summary>
    /// <param name="root">The backup that is restored.</param>
    /// <param name="backups">All of the client's.</param>
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
