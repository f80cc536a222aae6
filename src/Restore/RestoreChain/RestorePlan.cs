using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Where a restore begins. A pure function of lists, without I/O. Received data are removed only if they are proven
/// useless: nothing of them is complete, and the rest can no longer be completed.
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
            return complete == 0 ? WithoutPart(complete, "none of it can be resumed") : new RestorePlan(complete, null);
        if (!ResumeToken.TryParse(partial.Token, out var token))
            return WithoutPart(complete, "its resume token is not valid");
        if (complete < chain.Count && IsOf(chain[complete], token))
        {
            // The digest is noted before a receive begins, and covers the backup that is received.
            return partial.Received == ChainDigest.Of(chain, complete + 1)
                ? new RestorePlan(complete, token)
                : WithoutPart(complete, "it was received from another backup of the same snapshot");
        }

        return all.FirstOrDefault(backup => IsOf(backup, token)) is { } other && !chain.Contains(other)
            ? Conflicting($"it was receiving {other.DatasetName}@{other.SnapshotName}", other)
            : WithoutPart(
                complete,
                $"it was receiving the snapshot with GUID {token.SnapshotGuid}, which is not the next one of this "
                    + "restore"
            );
    }

    /// <summary>The part of a snapshot that was received is useless; complete ones are not.</summary>
    private static RestorePlan WithoutPart(int complete, string why) =>
        complete == 0 ? FromStart with { Useless = why } : new RestorePlan(complete, null) { Dropped = why };

    private static RestorePlan Conflicting(string why, SnapshotInfo? backup) =>
        FromStart with
        {
            Conflict = why,
            ConflictingBackup = backup,
        };

    private static bool IsOf(SnapshotInfo backup, ResumeToken token) =>
        token.SnapshotGuid == backup.SnapshotGuid.Value && (token.BaseGuid ?? 0) == (backup.FromGuid?.Value ?? 0);
}
