using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// All of a client's backups, so that those of a dataset are found without a look at the others: a client may have
/// thousands of datasets and tens of thousands of backups.
/// </summary>
internal sealed class BackupIndex
{
    private readonly Dictionary<SnapshotGuid, List<SnapshotInfo>> _bySnapshot = [];
    private readonly Dictionary<string, List<SnapshotGuid>> _byDataset = new(StringComparer.Ordinal);

    public BackupIndex(IEnumerable<SnapshotInfo> backups)
    {
        foreach (var backup in backups)
            Add(backup);
    }

    /// <summary>Adds a backup that was made since.</summary>
    public void Add(SnapshotInfo backup)
    {
        Add(_bySnapshot, backup.SnapshotGuid, backup);
        Add(_byDataset, backup.DatasetName, backup.SnapshotGuid);
    }

    public bool Has(SnapshotGuid snapshot) => _bySnapshot.ContainsKey(snapshot);

    /// <summary>When the newest backup of a dataset was made; null if it has none.</summary>
    public DateTimeOffset? FindLast(string dataset) =>
        _byDataset
            .GetValueOrDefault(dataset, [])
            .SelectMany(guid => _bySnapshot[guid])
            .Where(backup => backup.DatasetName == dataset)
            .Max(backup => (DateTimeOffset?)BackupOrder.TimeOf(backup));

    /// <summary>
    /// The backups that have a dataset's name, and those of its snapshots and bookmarks, whatever its name was then;
    /// with all that they build on.
    /// </summary>
    public IReadOnlyList<SnapshotInfo> RelevantTo(DatasetName dataset, IReadOnlyCollection<LocalSnapshot> local)
    {
        List<SnapshotInfo> found = [];
        HashSet<SnapshotGuid> seen = [];
        var open = new Stack<SnapshotGuid>(
            local.Select(snapshot => snapshot.Guid).Concat(_byDataset.GetValueOrDefault(dataset.Value, []))
        );
        while (open.TryPop(out var guid))
        {
            if (!seen.Add(guid))
                continue;
            foreach (var backup in _bySnapshot.GetValueOrDefault(guid, []))
            {
                found.Add(backup);
                if (backup.FromGuid is { } from)
                    open.Push(from);
            }
        }

        return found;
    }

    private static void Add<TKey, TValue>(Dictionary<TKey, List<TValue>> lists, TKey key, TValue value)
        where TKey : notnull
    {
        if (lists.TryGetValue(key, out var list))
            list.Add(value);
        else
            lists.Add(key, [value]);
    }
}
