using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>Where a restore begins. A pure function of lists, without I/O.</summary>
/// <param name="First">Index of the first backup of the chain to receive; the chain's length if all are
/// received.</param>
/// <param name="Token">Where the receive of that backup resumes; null: from its start.</param>
/// <param name="Unusable">Why what an earlier run received must be removed first; null if it need not.</param>
internal sealed record RestorePlan(int First, ResumeToken? Token, string? Unusable)
{
    /// <param name="partial">What an earlier run left; null: nothing.</param>
    /// <param name="chain">The backups to receive, the full one first.</param>
    public static RestorePlan Make(PartialDataset? partial, IReadOnlyList<SnapshotInfo> chain)
    {
        if (partial is null)
            return new RestorePlan(0, null, null);
        if (FindMismatch(partial, chain) is { } mismatch)
            return StartOver(mismatch);

        var complete = partial.Snapshots.Count;
        if (partial.Token is null)
            return complete == 0 ? StartOver("none of it can be resumed") : new RestorePlan(complete, null, null);
        if (!ResumeToken.TryParse(partial.Token, out var token))
            return StartOver("its resume token is not valid");
        if (complete < chain.Count && IsOf(chain[complete], token))
            return new RestorePlan(complete, token, null);
        return StartOver(
            $"it was receiving the snapshot with GUID {token.SnapshotGuid}, which is not the next one of this restore"
        );
    }

    private static bool IsOf(SnapshotInfo backup, ResumeToken token) =>
        token.SnapshotGuid == backup.SnapshotGuid.Value && (token.BaseGuid ?? 0) == (backup.FromGuid?.Value ?? 0);

    private static RestorePlan StartOver(string why) => new(0, null, why);

    /// <returns>Why the received snapshots are not those with which this chain begins; null if they are.</returns>
    private static string? FindMismatch(PartialDataset partial, IReadOnlyList<SnapshotInfo> chain)
    {
        var complete = partial.Snapshots.Count;
        if (complete > chain.Count)
            return "it has snapshots that do not belong to this restore";
        var expected = chain.Take(complete).Select(backup => backup.SnapshotGuid);
        if (!partial.Snapshots.SequenceEqual(expected))
            return "it has snapshots that do not belong to this restore";

        // The digest is noted before a receive begins. So it includes the backup being received, or, if none of that
        // was received yet, only the complete ones.
        if (complete > 0 && partial.Received == ChainDigest.Of(chain, complete))
            return null;
        if (complete < chain.Count && partial.Received == ChainDigest.Of(chain, complete + 1))
            return null;
        return "it was received from other backups";
    }
}
