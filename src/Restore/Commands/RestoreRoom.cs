using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary>
/// Whether the newest backups fit. The size of their streams is an estimate: the pool compresses otherwise than the
/// source's, and incrementals replace what came before.
/// </summary>
/// <param name="Available">Bytes that ZFS says are available.</param>
/// <param name="Largest">The dataset whose newest backup needs most; null if no backup exists.</param>
/// <param name="TooLarge">Those that probably do not fit, by themselves.</param>
internal sealed record RestoreRoom(long Available, DatasetRoom? Largest, IReadOnlyList<DatasetRoom> TooLarge)
{
    private const int MaxNamed = 3;

    public static RestoreRoom Estimate(long available, BackupList list)
    {
        var chains = new BackupChains(list.Backups);
        var needs = list
            .Backups.GroupBy(backup => backup.DatasetName, StringComparer.Ordinal)
            .Select(dataset => chains.Resolve(dataset.First()))
            .OfType<IReadOnlyList<SnapshotInfo>>()
            .Select(chain => new DatasetRoom(chain[^1].DatasetName, chain.Sum(backup => backup.StreamBytes)))
            .ToList();
        return new RestoreRoom(
            available,
            needs.MaxBy(need => need.Bytes),
            [.. needs.Where(need => need.Bytes > available).OrderByDescending(need => need.Bytes)]
        );
    }

    public string Describe(DatasetName dataset)
    {
        var available = $"{ByteSize.Format(Available)} are available in {dataset}";
        if (Largest is null)
            return available;
        if (TooLarge.Count == 0)
            return $"{available}; the largest newest backup, of {Largest}, fits";
        var more = TooLarge.Count > MaxNamed ? $" and {TooLarge.Count - MaxNamed} more" : "";
        var names = string.Join(", ", TooLarge.Take(MaxNamed));
        return $"{available}; the newest backup of {names}{more} probably does not fit";
    }
}

/// <param name="Dataset">The name of the source.</param>
/// <param name="Bytes">Of all streams that a restore receives.</param>
internal sealed record DatasetRoom(string Dataset, long Bytes)
{
    public override string ToString() => $"{Dataset} ({ByteSize.Format(Bytes)} of streams)";
}
