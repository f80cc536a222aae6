using System.Globalization;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>Where a stream is received. Decided from lists alone, without I/O.</summary>
/// <param name="Snapshot">What it becomes.</param>
/// <param name="IsNew">Whether the dataset is made by it.</param>
internal sealed record ReceiveTarget(SnapshotName Snapshot, bool IsNew)
{
    private const int LongestLeaf = 200;

    /// <param name="parent">The client's dataset: whatever a client says, what it sends goes directly below it.</param>
    /// <param name="source">The dataset that is sent, as the client calls it.</param>
    /// <param name="begin">What the stream says.</param>
    /// <param name="chains">What the client has there.</param>
    /// <param name="taken">Full names that are taken below the parent, or by what is being received or deleted.</param>
    /// <param name="obstacle">Why there is none, for people.</param>
    /// <returns>Null where an incremental finds no base that is the newest of its dataset.</returns>
    public static ReceiveTarget? Choose(
        DatasetName parent,
        DatasetName source,
        SnapshotStreamInfo begin,
        IReadOnlyCollection<ChainDataset> chains,
        IReadOnlySet<string> taken,
        out string obstacle
    )
    {
        obstacle = "";
        if (!begin.IsIncremental)
            return new ReceiveTarget(
                SnapshotIn(NameFor(parent, source, taken), begin.SnapshotName, taken),
                IsNew: true
            );
        var bases = chains
            .Where(chain => chain.Snapshots.Any(snapshot => snapshot.Guid.Value == begin.BaseGuid))
            .ToList();
        if (bases.Find(chain => chain.Newest!.Guid.Value == begin.BaseGuid) is { } chain)
        {
            var there = chain
                .Snapshots.Select(snapshot => snapshot.Name.ToString())
                .Concat(taken)
                .ToHashSet(StringComparer.Ordinal);
            return new ReceiveTarget(SnapshotIn(chain.Name, begin.SnapshotName, there), IsNew: false);
        }

        obstacle =
            bases.Count == 0
                ? "no dataset here has that one"
                : $"it is not the newest of {bases[0].Name}, and ZFS receives only on the newest "
                    + $"({bases[0].Newest!.Name.Leaf})";
        return null;
    }

    /// <summary>The source's name, with <c>_</c> for <c>/</c>; numbered where it is taken.</summary>
    public static DatasetName NameFor(DatasetName parent, DatasetName source, IReadOnlySet<string> taken)
    {
        for (var number = 1; ; number++)
        {
            var end = number == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"-{number}");
            var name = DatasetName.Parse(
                $"{parent}/{StorageKey.Flatten(source, LongestName(parent) - end.Length)}{end}"
            );
            if (!taken.Contains(name.Value))
                return name;
        }
    }

    /// <summary>ZFS bounds the whole name, with the snapshot's.</summary>
    private static int LongestName(DatasetName parent) =>
        Math.Clamp(DatasetName.MaxLength - parent.Value.Length - 1 - 80, 20, 180);

    private static SnapshotName SnapshotIn(DatasetName dataset, string leaf, IReadOnlySet<string> taken)
    {
        var room = Math.Min(LongestLeaf, DatasetName.MaxLength - dataset.Value.Length - 1 - 4);
        var stem = leaf.Length <= room ? leaf : leaf[..room];
        for (var number = 1; ; number++)
        {
            var name = SnapshotName.Snapshot(
                dataset,
                number == 1 ? stem : string.Create(CultureInfo.InvariantCulture, $"{stem}-{number}")
            );
            if (!taken.Contains(name.ToString()))
                return name;
        }
    }
}
