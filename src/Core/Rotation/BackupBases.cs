using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>
/// For every backup of a client the one that it is restored upon, and how long its chain is. Of several that hold its base, the one with
/// the shortest chain counts, as in <see cref="BackupChain"/>; of equal ones the one that was received first.
/// </summary>
public sealed class BackupBases
{
    private readonly Dictionary<string, SnapshotInfo> _bases = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _lengths = new(StringComparer.Ordinal);

    /// <param name="backups">All of one client's.</param>
    public BackupBases(IEnumerable<SnapshotInfo> backups)
    {
        var all = backups.OrderBy(backup => backup.ReceivedAt).ThenBy(backup => backup.SnapshotId, StringComparer.Ordinal).ToList();
        var dependents = all.Where(backup => backup.IsIncremental).ToLookup(backup => backup.FromGuid!.Value);
        var next = new Queue<SnapshotInfo>(all.Where(backup => !backup.IsIncremental));
        foreach (var full in next) _lengths[full.SnapshotId] = 1;
        while (next.TryDequeue(out var backup)) // chain by chain length: the first base that reaches a backup is its nearest
        {
            foreach (var dependent in dependents[backup.SnapshotGuid].Where(dependent => !_lengths.ContainsKey(dependent.SnapshotId) && ChainLink.Fits(backup, dependent.Features)))
            {
                _bases[dependent.SnapshotId] = backup;
                _lengths[dependent.SnapshotId] = Length(backup) + 1;
                next.Enqueue(dependent);
            }
        }
    }

    /// <returns>Null for a full backup, and where the base is missing.</returns>
    public SnapshotInfo? BaseOf(SnapshotInfo backup) => _bases.GetValueOrDefault(backup.SnapshotId);

    /// <summary>Backups from the full one to this one; 0 where the chain is broken.</summary>
    public int Length(SnapshotInfo backup) => _lengths.GetValueOrDefault(backup.SnapshotId);
}
