using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Core.Chains;

/// <summary>
/// Finds what a backup needs: the full backup at its start and every incremental between, linked by snapshot GUID.
/// </summary>
public static class BackupChain
{
    /// <summary>
    /// The chain that ends in <paramref name="target"/>, the full backup first; null where a link is missing.
    /// </summary>
    /// <remarks>
    /// Where several backups hold the same snapshot (a full one made later, say), the shortest chain is taken.
    /// </remarks>
    public static IReadOnlyList<SnapshotInfo>? Resolve(SnapshotInfo target, IReadOnlyCollection<SnapshotInfo> backups)
    {
        var byGuid = backups.ToLookup(b => b.SnapshotGuid);
        var successor = new Dictionary<string, SnapshotInfo?>(StringComparer.Ordinal) { [target.SnapshotId] = null };
        var next = new Queue<SnapshotInfo>([target]);
        while (next.TryDequeue(out var backup))
        {
            if (backup.FromGuid is not { } from)
                return Walk(backup, successor);
            foreach (var candidate in byGuid[from].Where(candidate => ChainLink.Fits(candidate, backup.Features)))
            {
                if (successor.TryAdd(candidate.SnapshotId, backup))
                    next.Enqueue(candidate);
            }
        }

        return null;
    }

    private static List<SnapshotInfo> Walk(SnapshotInfo full, Dictionary<string, SnapshotInfo?> successor)
    {
        List<SnapshotInfo> chain = [];
        for (var backup = full; backup is not null; backup = successor[backup.SnapshotId])
            chain.Add(backup);
        return chain;
    }
}
