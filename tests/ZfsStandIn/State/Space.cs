namespace ZfsSnapshotManager.ZfsStandIn.State;

/// <summary>
/// The space that datasets take. It counts each block once, and for each dataset what ZFS has of an empty one.
/// </summary>
internal static class Space
{
    private const long OfEmptyDataset = 96 * 1024;

    /// <summary>Bytes of a dataset and all below it: <c>used</c>.</summary>
    public static long UsedBy(PoolState pool, string root) => pool.Tree(root).Sum(OfOne);

    /// <summary>Bytes written since the snapshot before: <c>written</c>.</summary>
    public static long WrittenOf(Dataset dataset, Snapshot snapshot)
    {
        var before = dataset
            .Snapshots.Where(other => other.CreateTxg < snapshot.CreateTxg)
            .MaxBy(other => other.CreateTxg);
        var old = before is null ? [] : BlocksOf(before.Contents).ToHashSet();
        return OfEmptyDataset
            + BlocksOf(snapshot.Contents).Where(block => !old.Contains(block)).Sum(block => block.Size);
    }

    private static long OfOne(Dataset dataset) =>
        OfEmptyDataset
        + dataset
            .Snapshots.Select(snapshot => snapshot.Contents)
            .Append(dataset.Head)
            .Concat(dataset.Partial is { } partial ? [partial.Contents] : [])
            .SelectMany(BlocksOf)
            .Distinct()
            .Sum(block => block.Size);

    private static IEnumerable<(ulong File, long Index, ulong Seed, long Size)> BlocksOf(Contents contents) =>
        contents.Files.SelectMany(file =>
            file.Seeds().Select((seed, index) => (file.Number, (long)index, seed, (long)file.BlockSize))
        );
}
