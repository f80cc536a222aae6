using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// Reads properties of datasets whatever their values are. <c>zfs get -H</c> separates with tabs and line breaks, which
/// values of user properties may hold themselves; such a value can imitate other columns and rows
/// (github.com/openzfs/zfs/issues/11642; JSON came only with OpenZFS 2.3). So names and sources, which cannot hold
/// them, are asked for without the values, and the output with the values is believed only if it has exactly these
/// rows (<see cref="PropertyValueReader"/>).
/// </summary>
public static class DatasetPropertyReader
{
    /// <summary>Datasets of one command: bounds its arguments and its output (some 80 lines for each).</summary>
    private const int DatasetsAtOnce = 100;

    /// <summary>Stands for bytes that are no UTF-8.</summary>
    private const char NotText = '\ufffd';

    /// <summary>
    /// Set when ZFS is told to, without a meaning elsewhere: counters, which no <c>zfs set</c> accepts although their
    /// source is local (<c>zfs get filesystem_count</c>); and the place of a key, which may hold a secret.
    /// </summary>
    private static readonly HashSet<string> NotKept = new(StringComparer.Ordinal)
    {
        "filesystem_count",
        "snapshot_count",
        "keylocation",
    };

    /// <summary>Reads the properties of datasets, in a few commands for hundreds of them.</summary>
    /// <exception cref="ZfsException">One of them cannot be read, for example because it no longer exists.</exception>
    public static async Task<IReadOnlyDictionary<DatasetName, DatasetPropertySet>> ReadPropertiesAsync(
        this ZfsHost zfs,
        IReadOnlyCollection<DatasetName> datasets,
        CancellationToken cancellationToken
    )
    {
        var sets = new Dictionary<DatasetName, DatasetPropertySet>(datasets.Count);
        foreach (var chunk in datasets.Chunk(DatasetsAtOnce))
            await ReadAsync(zfs, chunk, sets, cancellationToken);
        return sets;
    }

    /// <summary>Reads the properties of one dataset.</summary>
    /// <exception cref="ZfsException">It cannot be read.</exception>
    public static async Task<DatasetPropertySet> ReadPropertiesAsync(
        this ZfsHost zfs,
        DatasetName dataset,
        CancellationToken cancellationToken
    ) => (await zfs.ReadPropertiesAsync([dataset], cancellationToken))[dataset];

    private static async Task ReadAsync(
        ZfsHost zfs,
        DatasetName[] datasets,
        Dictionary<DatasetName, DatasetPropertySet> sets,
        CancellationToken cancellationToken
    )
    {
        var reader = new PropertyValueReader(zfs.RunAsync);
        var found = (
            await reader.ReadAsync([.. datasets.Select(dataset => dataset.Value)], IsKept, cancellationToken)
        ).ToLookup(property => property.Row.Dataset, StringComparer.Ordinal);
        foreach (var dataset in datasets)
            sets[dataset] = MakeSet(found[dataset.Value]);
    }

    private static DatasetPropertySet MakeSet(IEnumerable<(PropertyRow Row, string Value)> properties)
    {
        var own = new Dictionary<string, string>(StringComparer.Ordinal);
        var behaviour = new Dictionary<string, DatasetProperty>(StringComparer.Ordinal);
        List<string> unreadable = [];
        foreach (var (row, value) in properties)
        {
            if (value.Contains(NotText, StringComparison.Ordinal))
            {
                unreadable.Add(row.Name);
                continue;
            }

            if (IsOwn(row))
                own[row.Name] = value;
            if (BehaviourProperty.All.ContainsKey(row.Name))
                behaviour[row.Name] = new DatasetProperty(value, row.Source);
        }

        return new DatasetPropertySet
        {
            Own = own,
            Behaviour = behaviour,
            Unreadable = unreadable,
        };
    }

    private static bool IsKept(PropertyRow row) =>
        !NotKept.Contains(row.Name) && (IsOwn(row) || BehaviourProperty.All.ContainsKey(row.Name));

    private static bool IsOwn(PropertyRow row) => row.Source is PropertySource.Local or PropertySource.Received;
}
