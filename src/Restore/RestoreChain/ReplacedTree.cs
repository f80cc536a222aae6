using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>A dataset that a restore replaces, and those below it, parents before children.</summary>
internal sealed record ReplacedTree(IReadOnlyList<ReplacedDataset> Datasets)
{
    public ReplacedDataset Root => Datasets[0];

    /// <exception cref="ZfsException">It does not exist.</exception>
    public static async Task<ReplacedTree> ReadAsync(ZfsHost zfs, DatasetName root, CancellationToken cancellationToken)
    {
        var rows = await zfs.RunTableAsync(
            [
                "get",
                "-H",
                "-p",
                "-r",
                "-t",
                "filesystem,volume",
                "-o",
                "name,property,value,source",
                "guid,type,mounted,mountpoint,canmount",
                root.Value,
            ],
            cancellationToken
        );
        return new ReplacedTree([
            .. rows.GroupBy(row => row[0], StringComparer.Ordinal)
                .Select(dataset => ReplacedDataset.Parse(root, dataset))
                .OrderBy(dataset => dataset.Relative, StringComparer.Ordinal),
        ]);
    }
}
