using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// The properties of the datasets that a run works on, read for many at once as <see cref="LocalSnapshots"/> are. Not
/// thread-safe.
/// </summary>
/// <param name="zfs">Where the datasets are.</param>
/// <param name="order">The datasets, in the order in which they will be asked for.</param>
/// <param name="time">The clock.</param>
internal sealed class LocalProperties(ZfsHost zfs, IReadOnlyList<DatasetName> order, TimeProvider time)
{
    private const int Ahead = 100;

    /// <summary>
    /// Users change properties too. It begins when all are read, however long that takes over a slow ssh: otherwise
    /// all would be read again for each dataset.
    /// </summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(30);

    private readonly Dictionary<DatasetName, int> _places = order
        .Index()
        .ToDictionary(place => place.Item, place => place.Index);

    private IReadOnlyDictionary<DatasetName, DatasetPropertySet> _read =
        new Dictionary<DatasetName, DatasetPropertySet>();

    private long _readAt;

    /// <summary>Up to here, datasets are asked for one by one, because one of them cannot be read.</summary>
    private int _singleUntil;

    /// <param name="dataset">One of the datasets.</param>
    /// <exception cref="ZfsException">They cannot be read.</exception>
    public async Task<DatasetPropertySet> GetAsync(DatasetName dataset, CancellationToken cancellationToken)
    {
        if (_read.TryGetValue(dataset, out var found) && time.GetElapsedTime(_readAt) <= Lifetime)
            return found;
        var place = _places[dataset];
        if (place >= _singleUntil)
        {
            try
            {
                DatasetName[] next = [.. order.Skip(place).Take(Ahead)];
                _read = await zfs.ReadPropertiesAsync(next, cancellationToken);
                _readAt = time.GetTimestamp();
                return _read[dataset];
            }
            catch (ZfsException)
            {
                _singleUntil = place + Ahead; // one of them has vanished
            }
        }

        return await zfs.ReadPropertiesAsync(dataset, cancellationToken);
    }
}
