using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// All of a client's backups, so that those of a dataset are found without a look at the others: a client may have
/// thousands of datasets and tens of thousands of backups.
/// </summary>
internal sealed class BackupIndex(IReadOnlyList<SnapshotInfo> backups)
{
    private readonly ILookup<SnapshotGuid, SnapshotInfo> _bySnapshot = backups.ToLookup(backup => backup.SnapshotGuid);

    private readonly ILookup<string, SnapshotGuid> _byDataset = backups.ToLookup(
        backup => backup.DatasetName,
        backup => backup.SnapshotGuid,
        StringComparer.Ordinal
    );

    public bool Has(SnapshotGuid snapshot) => _bySnapshot.Contains(snapshot);

    /// <summary>
    /// The backups that have a dataset's name, and those of its snapshots and bookmarks, whatever its name was then;
    /// with all that they build on.
    /// </summary>
    public IReadOnlyList<SnapshotInfo> RelevantTo(DatasetName dataset, IReadOnlyCollection<LocalSnapshot> local)
    {
        List<SnapshotInfo> found = [];
        HashSet<SnapshotGuid> seen = [];
        var open = new Stack<SnapshotGuid>(local.Select(snapshot => snapshot.Guid).Concat(_byDataset[dataset.Value]));
        while (open.TryPop(out var guid))
        {
            if (!seen.Add(guid))
                continue;
            foreach (var backup in _bySnapshot[guid])
            {
                found.Add(backup);
                if (backup.FromGuid is { } from)
                    open.Push(from);
            }
        }

        return found;
    }
}
