using System.Globalization;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>Where a stream is received. Decided from lists alone, without I/O.</summary>
/// <param name="Snapshot">The snapshot that the stream creates.</param>
/// <param name="IsNew">Whether the stream creates the dataset.</param>
internal sealed record ReceiveTarget(SnapshotName Snapshot, bool IsNew)
{
    private const int LongestLeaf = 200;

    /// <param name="parent">The client's dataset. Whatever a client announces, its streams are received directly below
    /// it.</param>
    /// <param name="source">The name of the dataset on the client.</param>
    /// <param name="begin">The facts of the stream's BEGIN.</param>
    /// <param name="chains">The client's received datasets.</param>
    /// <param name="used">Full names in use below the parent, or by uploads and deletions.</param>
    /// <param name="obstacle">The human-readable reason if no target exists.</param>
    /// <returns>Null if no dataset has the base of an incremental as its newest snapshot.</returns>
    public static ReceiveTarget? Choose(
        DatasetName parent,
        DatasetName source,
        SnapshotStreamInfo begin,
        IReadOnlyCollection<ChainDataset> chains,
        IReadOnlySet<string> used,
        out string obstacle
    )
    {
        obstacle = "";
        if (!begin.IsIncremental)
            return new ReceiveTarget(SnapshotIn(NameFor(parent, source, used), begin.SnapshotName, used), IsNew: true);
        var bases = chains
            .Where(chain => chain.Snapshots.Any(snapshot => snapshot.Guid.Value == begin.BaseGuid))
            .ToList();
        if (bases.Find(chain => chain.Newest!.Guid.Value == begin.BaseGuid) is { } chain)
        {
            var there = chain
                .Snapshots.Select(snapshot => snapshot.Name.ToString())
                .Concat(used)
                .ToHashSet(StringComparer.Ordinal);
            return new ReceiveTarget(SnapshotIn(chain.Name, begin.SnapshotName, there), IsNew: false);
        }

        obstacle =
            bases.Count == 0
                ? "no dataset here has that snapshot"
                : $"it is not the newest of {bases[0].Name}, and ZFS receives only on the newest "
                    + $"({bases[0].Newest!.Name.Leaf})";
        return null;
    }

    /// <summary>The source's name, with <c>_</c> for <c>/</c>; numbered if the name is in use.</summary>
    public static DatasetName NameFor(DatasetName parent, DatasetName source, IReadOnlySet<string> used)
    {
        for (var number = 1; ; number++)
        {
            var end = number == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"-{number}");
            var name = DatasetName.Parse(
                $"{parent}/{StorageKey.Flatten(source, LongestName(parent) - end.Length)}{end}"
            );
            if (!used.Contains(name.Value))
                return name;
        }
    }

    /// <summary>ZFS limits the length of the full name, including the snapshot's.</summary>
    private static int LongestName(DatasetName parent) =>
        Math.Clamp(DatasetName.MaxLength - parent.Value.Length - 1 - 80, 20, 180);

    private static SnapshotName SnapshotIn(DatasetName dataset, string leaf, IReadOnlySet<string> used)
    {
        var room = Math.Min(LongestLeaf, DatasetName.MaxLength - dataset.Value.Length - 1 - 4);
        var stem = leaf.Length <= room ? leaf : leaf[..room];
        for (var number = 1; ; number++)
        {
            var name = SnapshotName.Snapshot(
                dataset,
                number == 1 ? stem : string.Create(CultureInfo.InvariantCulture, $"{stem}-{number}")
            );
            if (!used.Contains(name.ToString()))
                return name;
        }
    }
}
