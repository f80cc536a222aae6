using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Chains;

/// <summary>
/// The chains of a client's backups: for each backup the one that it is restored on, from the full backup at the start
/// of its chain to the backup itself. Backups are linked by snapshot GUID, whatever their names and times are.
/// Immutable, and safe for use by several threads.
/// </summary>
/// <remarks>
/// If several backups hold the base of a backup (a full one that was made later, for example), the one with the
/// shortest chain counts. Of equal chains, the one counts whose backups were received first.
/// </remarks>
public sealed class BackupChains
{
    /// <summary>By id; a backup whose chain is broken has no entry.</summary>
    private readonly Dictionary<string, (SnapshotInfo? Base, int Length)> _links = new(StringComparer.Ordinal);

    /// <param name="backups">All backups of one client, in any order.</param>
    public BackupChains(IEnumerable<SnapshotInfo> backups)
    {
        var all = backups
            .OrderBy(backup => backup.ReceivedAt)
            .ThenBy(backup => backup.SnapshotId, StringComparer.Ordinal)
            .ToList();
        var dependents = all.Where(backup => backup.IsIncremental).ToLookup(backup => backup.FromGuid!.Value);
        var next = new Queue<SnapshotInfo>(all.Where(backup => !backup.IsIncremental));
        foreach (var full in next)
            _links[full.SnapshotId] = (null, 1);
        // Breadth first, by chain length: the first base that reaches a backup has the shortest chain.
        while (next.TryDequeue(out var backup))
        {
            var length = LengthOf(backup) + 1;
            foreach (var dependent in dependents[backup.SnapshotGuid])
            {
                if (ChainLink.Fits(backup, dependent.Features) && _links.TryAdd(dependent.SnapshotId, (backup, length)))
                    next.Enqueue(dependent);
            }
        }
    }

    /// <returns>Null for a full backup, and if the base is missing.</returns>
    public SnapshotInfo? BaseOf(SnapshotInfo backup) => _links.GetValueOrDefault(backup.SnapshotId).Base;

    /// <summary>The number of backups from the full one to this one; 0 if the chain is broken.</summary>
    public int LengthOf(SnapshotInfo backup) => _links.GetValueOrDefault(backup.SnapshotId).Length;

    /// <summary>Whether all backups exist that a restore of this one needs.</summary>
    public bool IsComplete(SnapshotInfo backup) => _links.ContainsKey(backup.SnapshotId);

    /// <summary>All backups that a restore of <paramref name="target"/> needs, the full one first and the target
    /// last.</summary>
    /// <returns>Null if one of them is missing.</returns>
    public IReadOnlyList<SnapshotInfo>? Resolve(SnapshotInfo target)
    {
        if (!IsComplete(target))
            return null;
        List<SnapshotInfo> chain = [];
        for (var backup = target; backup is not null; backup = BaseOf(backup))
            chain.Add(backup);
        chain.Reverse();
        return chain;
    }
}
