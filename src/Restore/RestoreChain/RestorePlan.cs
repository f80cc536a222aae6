using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Where a restore begins. A pure function of lists, without I/O. What was received is removed only if it is nothing,
/// or the part of an incremental that this restore does not need or that no backup can complete.
/// </summary>
/// <param name="First">Index of the first backup of the chain to receive; the chain's length if all are
/// received.</param>
/// <param name="Token">Where the receive of that backup resumes; null: from its start.</param>
internal sealed record RestorePlan(int First, ResumeToken? Token)
{
    /// <summary>Snapshots that another program made of the received dataset; they must be destroyed first.</summary>
    public IReadOnlyList<SnapshotName> Foreign { get; init; } = [];

    /// <summary>Why the snapshot that was being received must be dropped first; the complete ones stay.</summary>
    public string? Dropped { get; init; }

    /// <summary>Why everything that was received must be removed first.</summary>
    public string? Useless { get; init; }

    /// <summary>
    /// Why this restore cannot use what was received, although another one can; null if nothing stands in the way.
    /// </summary>
    public string? Conflict { get; init; }

    /// <summary>The backup that was being received in that case, or was received last; null if it is unknown.</summary>
    public SnapshotInfo? ConflictingBackup { get; init; }

    /// <summary>Where a restore begins that finds nothing.</summary>
    public static RestorePlan FromStart { get; } = new(0, null);

    /// <param name="partial">What was received so far; null: nothing.</param>
    /// <param name="chain">The backups to receive, the full one first.</param>
    /// <param name="all">All backups on the server.</param>
    public static RestorePlan Make(
        PartialDataset? partial,
        IReadOnlyList<SnapshotInfo> chain,
        IReadOnlyList<SnapshotInfo> all
    )
    {
        if (partial is null)
            return FromStart;
        var foreign = FindForeign(partial.Snapshots, chain, all);
        var received = partial.Snapshots.Except(foreign).ToList();
        var complete = received.Count;
        if (!chain.Take(complete).Select(backup => backup.SnapshotGuid).SequenceEqual(received.Select(own => own.Guid)))
            return Conflicting(
                "it has snapshots that do not belong to this restore",
                all.FirstOrDefault(backup => backup.SnapshotGuid == received[^1].Guid)
            );
        return PlanRest(partial, complete, chain, all) with
        {
            Foreign = [.. foreign.Select(snapshot => snapshot.Name)],
        };
    }

    /// <summary>
    /// Snapshots of backups are never foreign, whichever restore received them, and neither is what came before the
    /// first complete one.
    /// </summary>
    private static List<PartialSnapshot> FindForeign(
        IReadOnlyList<PartialSnapshot> snapshots,
        IReadOnlyList<SnapshotInfo> chain,
        IReadOnlyList<SnapshotInfo> all
    )
    {
        var known = chain.Concat(all).Select(backup => backup.SnapshotGuid).ToHashSet();
        return
        [
            .. snapshots
                .SkipWhile(snapshot => !known.Contains(snapshot.Guid))
                .Where(snapshot => snapshot.IsMadeHere && !known.Contains(snapshot.Guid)),
        ];
    }

    private static RestorePlan PlanRest(
        PartialDataset partial,
        int complete,
        IReadOnlyList<SnapshotInfo> chain,
        IReadOnlyList<SnapshotInfo> all
    )
    {
        if (partial.Token is null)
            return complete == 0 ? FromStart with { Useless = "it is empty" } : new RestorePlan(complete, null);
        if (!ResumeToken.TryParse(partial.Token, out var token))
            return Conflicting("this version cannot read its resume token", null);
        if (complete < chain.Count && IsOf(chain[complete], token))
        {
            // The digest is noted before a receive begins, and covers the backup that is received.
            return partial.Received == ChainDigest.Of(chain, complete + 1)
                ? new RestorePlan(complete, token)
                : PlanOther(
                    complete,
                    Find(all.Except(chain), token),
                    "it was received from another backup of the same snapshot"
                );
        }

        if (complete == chain.Count && token.BaseGuid == chain[^1].SnapshotGuid.Value)
            return WithoutPart(complete, "this restore ends before the backup that it was receiving");
        return PlanOther(
            complete,
            Find(all.Except(chain), token),
            $"it was receiving the snapshot with GUID {token.SnapshotGuid}, which is not the next one of this restore"
        );
    }

    /// <summary>
    /// What was being received is not the next backup of this chain. The part of an incremental that the server no
    /// longer has is dropped. The part of a full backup may be days of work, and the server may get that backup back.
    /// </summary>
    /// <param name="other">The backup that it is of; null if the server does not have it.</param>
    private static RestorePlan PlanOther(int complete, SnapshotInfo? other, string why)
    {
        if (other is not null)
            return Conflicting($"it was receiving {BackupName.OfSnapshot(other)}", other);
        return complete == 0 ? Conflicting(why, null) : WithoutPart(complete, why);
    }

    private static SnapshotInfo? Find(IEnumerable<SnapshotInfo> backups, ResumeToken token) =>
        backups.FirstOrDefault(backup => IsOf(backup, token));

    /// <summary>The part of a snapshot that was received is useless; complete ones are not.</summary>
    private static RestorePlan WithoutPart(int complete, string why) => new(complete, null) { Dropped = why };

    private static RestorePlan Conflicting(string why, SnapshotInfo? backup) =>
        FromStart with
        {
            Conflict = why,
            ConflictingBackup = backup,
        };

    private static bool IsOf(SnapshotInfo backup, ResumeToken token) =>
        token.SnapshotGuid == backup.SnapshotGuid.Value && (token.BaseGuid ?? 0) == (backup.FromGuid?.Value ?? 0);
}
