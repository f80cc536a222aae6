using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>
/// For every backup of a client the one that it is restored upon, and how long its chain is. Of several that hold its
/// base, the one with the shortest chain counts, as in <see cref="BackupChain"/>; of equal ones the one that was
/// received first.
/// </summary>
public sealed class BackupBases
{
    private readonly Dictionary<string, (SnapshotInfo? Base, int Length)> _links = new(StringComparer.Ordinal);

    /// <param name="backups">All of one client's.</param>
    public BackupBases(IEnumerable<SnapshotInfo> backups)
    {
        var all = backups
            .OrderBy(backup => backup.ReceivedAt)
            .ThenBy(backup => backup.SnapshotId, StringComparer.Ordinal)
            .ToList();
        var dependents = all.Where(backup => backup.IsIncremental).ToLookup(backup => backup.FromGuid!.Value);
        var next = new Queue<SnapshotInfo>(all.Where(backup => !backup.IsIncremental));
        foreach (var full in next)
            _links[full.SnapshotId] = (null, 1);
        // Chain by chain length: the first base that reaches a backup is its nearest.
        while (next.TryDequeue(out var backup))
        {
            var length = Length(backup) + 1;
            foreach (var dependent in dependents[backup.SnapshotGuid])
            {
                if (ChainLink.Fits(backup, dependent.Features) && _links.TryAdd(dependent.SnapshotId, (backup, length)))
                    next.Enqueue(dependent);
            }
        }
    }

    /// <returns>Null for a full backup, and where the base is missing.</returns>
    public SnapshotInfo? BaseOf(SnapshotInfo backup) => _links.GetValueOrDefault(backup.SnapshotId).Base;

    /// <summary>Backups from the full one to this one; 0 where the chain is broken.</summary>
    public int Length(SnapshotInfo backup) => _links.GetValueOrDefault(backup.SnapshotId).Length;
}
