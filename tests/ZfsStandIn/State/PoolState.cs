namespace ZfsSnapshotManager.ZfsStandIn.State;

/// <summary>All that a pool holds.</summary>
internal sealed class PoolState
{
    private Dictionary<string, Dataset>? _byName;

    /// <summary>The transaction group; every change has one of its own.</summary>
    public ulong Txg { get; set; } = 100;

    public List<Dataset> Datasets { get; set; } = [];

    /// <summary>Whether the feature "bookmarks" is off.</summary>
    public bool HasNoBookmarks { get; set; }

    /// <summary>A pool with nothing in it.</summary>
    public static PoolState Create()
    {
        var pool = new PoolState();
        pool.Datasets.Add(
            new Dataset
            {
                Name = "tank",
                Guid = NewGuid(),
                IsMounted = true,
            }
        );
        return pool;
    }

    public static ulong NewGuid() => (ulong)Random.Shared.NextInt64(1, long.MaxValue);

    public static long Now() => TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();

    public Dataset? Find(string name)
    {
        // A command may name thousands. One that renames or removes datasets looks none up afterwards.
        if (_byName is null || _byName.Count != Datasets.Count)
            _byName = Datasets.ToDictionary(dataset => dataset.Name, StringComparer.Ordinal);
        return _byName.TryGetValue(name, out var found) && found.Name == name
            ? found
            : Datasets.Find(dataset => dataset.Name == name);
    }

    /// <param name="name">The dataset's name.</param>
    /// <param name="asked">What the command named.</param>
    public Dataset Get(string name, string? asked = null) => Find(name) ?? throw ZfsFailure.NotFound(asked ?? name);

    public Snapshot? FindSnapshot(string name) =>
        name.Split('@') is [var dataset, var leaf] ? Find(dataset)?.FindSnapshot(leaf) : null;

    public Snapshot GetSnapshot(string name) => FindSnapshot(name) ?? throw ZfsFailure.NotFound(name);

    /// <summary>A dataset and all below it, in the order in which ZFS lists them.</summary>
    public IEnumerable<Dataset> Tree(string root) =>
        Datasets
            .Where(dataset => dataset.Name == root || dataset.Name.StartsWith(root + "/", StringComparison.Ordinal))
            .OrderBy(dataset => dataset.Name, StringComparer.Ordinal);

    /// <summary>Names of the clones of a snapshot.</summary>
    public IEnumerable<string> ClonesOf(Dataset dataset, Snapshot snapshot) =>
        Datasets
            .Where(clone => clone.Origin == $"{dataset.Name}@{snapshot.Leaf}")
            .Select(clone => clone.Name)
            .Order(StringComparer.Ordinal);
}
