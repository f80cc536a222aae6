using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>Where a restore begins.</summary>
/// <param name="First">The first backup of the chain that is to be received, from 0; the chain's length where all are
/// there.</param>
/// <param name="Token">Where that one goes on; null: at its start.</param>
/// <param name="Unfit">Why what is there must go first; null where it need not.</param>
internal sealed record RestorePlan(int First, ResumeToken? Token, string? Unfit)
{
    /// <param name="there">What an earlier run left; null: nothing.</param>
    /// <param name="chain">What is to be received, the full backup first.</param>
    public static RestorePlan Make(PartialDataset? there, IReadOnlyList<SnapshotInfo> chain)
    {
        if (there is null)
            return new RestorePlan(0, null, null);
        var whole = there.Snapshots.Count;
        if (FindUnfit(there, chain) is { } unfit)
            return StartOver(unfit);
        if (there.Token is null)
            return whole == 0 ? StartOver("nothing of it can be continued") : new RestorePlan(whole, null, null);
        if (!ResumeToken.TryParse(there.Token, out var token))
            return StartOver("ZFS keeps a resume token for it that cannot be read");
        return
            whole < chain.Count
            && token.SnapshotGuid == chain[whole].SnapshotGuid.Value
            && (token.BaseGuid ?? 0) == (chain[whole].FromGuid?.Value ?? 0)
            ? new RestorePlan(whole, token, null)
            : StartOver(
                $"it was receiving the snapshot with GUID {token.SnapshotGuid}, which is not the next of this restore"
            );
    }

    private static RestorePlan StartOver(string why) => new(0, null, why);

    /// <summary>
    /// Why the snapshots that are there are not those with which this chain begins; null where they are.
    /// </summary>
    private static string? FindUnfit(PartialDataset there, IReadOnlyList<SnapshotInfo> chain)
    {
        var whole = there.Snapshots.Count;
        if (
            whole > chain.Count
            || !there.Snapshots.SequenceEqual(chain.Take(whole).Select(backup => backup.SnapshotGuid))
        )
            return "it has snapshots that are not of this restore";

        // The note is made before the receive, and may still be that of the one before where nothing of the next has
        // come.
        return
            (whole > 0 && there.Received == ChainDigest.Of(chain, whole))
            || (whole < chain.Count && there.Received == ChainDigest.Of(chain, whole + 1))
            ? null
            : "it is of other backups";
    }
}
