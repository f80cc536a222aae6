using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// The snapshots and bookmarks of the datasets that a run works on, one dataset after another. They are read for many
/// datasets at once, and again when they may have changed meanwhile, so that a run needs few <c>zfs</c> processes and
/// little memory however many datasets it has. Not thread-safe.
/// </summary>
/// <param name="zfs">Where the datasets are.</param>
/// <param name="order">The datasets, in the order in which they will be asked for.</param>
/// <param name="time">The clock.</param>
internal sealed class LocalSnapshots(ZfsHost zfs, IReadOnlyList<DatasetName> order, TimeProvider time)
{
    private const int Ahead = 256;

    /// <summary>
    /// Others make and destroy snapshots too. It begins when all are read: see <see cref="LocalProperties"/>.
    /// </summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(30);

    private readonly Dictionary<DatasetName, int> _places = order
        .Index()
        .ToDictionary(place => place.Item, place => place.Index);

    private readonly Dictionary<DatasetName, List<LocalSnapshot>> _read = [];
    private ZfsRefusals? _refusals;
    private long _readAt;

    /// <summary>Snapshots and bookmarks of one dataset, oldest first.</summary>
    /// <param name="dataset">One of the datasets.</param>
    /// <param name="isChanged">Whether this run has changed them since they were asked for.</param>
    /// <exception cref="ZfsException">They cannot be listed.</exception>
    public async Task<IReadOnlyList<LocalSnapshot>> GetAsync(
        DatasetName dataset,
        bool isChanged,
        CancellationToken cancellationToken
    )
    {
        if (isChanged)
            return await zfs.ListMarkedSnapshotsAsync(dataset, cancellationToken);
        if (!_read.ContainsKey(dataset) || time.GetElapsedTime(_readAt) > Lifetime)
            await ReadAsync(dataset, cancellationToken);
        return _refusals!.Find(dataset) is { } refusal
            ? throw refusal
            : [.. _read[dataset].OrderBy(snapshot => snapshot.CreateTxg)];
    }

    private async Task ReadAsync(DatasetName from, CancellationToken cancellationToken)
    {
        _read.Clear();
        DatasetName[] next = [.. order.Skip(_places[from]).Take(Ahead)];
        foreach (var dataset in next)
            _read[dataset] = [];
        (var found, _refusals) = await zfs.ListMarkedSnapshotsAsync(next, cancellationToken);
        foreach (var snapshot in found)
        {
            if (_read.TryGetValue(snapshot.Name.Dataset, out var list))
                list.Add(snapshot);
        }

        _readAt = time.GetTimestamp();
    }
}
