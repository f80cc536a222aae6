using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>What commands for many names refused, by name. The other names were done.</summary>
public sealed class ZfsRefusals
{
    private readonly Dictionary<string, ZfsException> _byName = new(StringComparer.Ordinal);

    /// <summary>All of them.</summary>
    public IReadOnlyCollection<ZfsException> All => _byName.Values;

    /// <summary>Why a dataset was refused; null if ZFS did not name it.</summary>
    public ZfsException? Find(DatasetName dataset) => _byName.GetValueOrDefault(dataset.Value);

    /// <summary>Why a snapshot or its dataset was refused; null if ZFS named neither.</summary>
    public ZfsException? Find(SnapshotName snapshot) =>
        _byName.GetValueOrDefault(snapshot.ToString()) ?? Find(snapshot.Dataset);

    /// <returns>Those whose message does not have these words.</returns>
    internal ZfsRefusals Except(string words) =>
        Only(_byName.Where(entry => !entry.Value.StandardError.Contains(words, StringComparison.Ordinal)));

    /// <returns>Those of some names.</returns>
    internal ZfsRefusals Only(IReadOnlySet<string> names) => Only(_byName.Where(entry => names.Contains(entry.Key)));

    private static ZfsRefusals Only(IEnumerable<KeyValuePair<string, ZfsException>> entries)
    {
        var some = new ZfsRefusals();
        foreach (var (name, e) in entries)
            some.Add(name, e);
        return some;
    }

    /// <summary>Adds those of another command.</summary>
    internal void Add(ZfsRefusals more)
    {
        foreach (var (name, e) in more._byName)
            Add(name, e);
    }

    internal void Add(string name, ZfsException e) => _byName.TryAdd(name, e);
}
