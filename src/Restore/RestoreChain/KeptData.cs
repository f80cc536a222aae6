using System.Net;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// What a failed restore leaves: everything that it received. That may be days of work, and no failure proves that it
/// is useless: also a damaged or missing object may be brought back on the server.
/// </summary>
internal sealed class KeptData(Output output, RestoreTarget target, IReadOnlyList<SnapshotInfo> chain)
{
    private string Discard => $"To discard it, add --restart, or run 'zfs destroy -r {target.Partial}'.";

    /// <summary>Adds to a failure what is kept and how to continue.</summary>
    /// <returns>The failure itself if there is nothing to add, or if it is not one that users get as it is.</returns>
    public async Task<Exception> ExplainAsync(Exception e)
    {
        if (await DescribeAsync(e) is not { } kept)
            return e;
        switch (e)
        {
            case OperationCanceledException:
                return new OperationException(ExitCode.Interrupted, "Interrupted.", kept, e, FailureKind.User);
            case OperationException failure:
                // What to do about a server that is away is to run the command again.
                var remedy = failure.Kind is FailureKind.Transient or FailureKind.Server
                    ? kept
                    : $"{failure.Remedy} {kept}";
                return new OperationException(
                    failure.ExitCode,
                    failure.Message,
                    remedy.TrimStart(),
                    failure,
                    failure.Kind
                );
            default:
                output.Warn(kept);
                return e;
        }
    }

    /// <returns>Null if nothing is kept.</returns>
    private async Task<string?> DescribeAsync(Exception e)
    {
        PartialDataset? partial;
        try
        {
            partial = await target.FindPartialAsync(CancellationToken.None);
        }
        catch (OperationException)
        {
            // ZFS does not answer, such as of a suspended pool: nothing was removed all the same.
            return $"What was received is kept in {target.Partial}: once ZFS works again, run the same command again "
                + $"to resume. {Discard}";
        }

        if (partial is null || (partial.Token is null && partial.Snapshots.Count == 0))
            return null;
        if (e is ApiException { Status: HttpStatusCode.NotFound, Code: not null })
            return "It was deleted during the restore, by rotation or because space was needed: 'zfs-restore list' "
                + $"shows the backups that exist. What was received is kept in {target.Partial}. {Discard}";
        if (FailureKinds.Of(e) != FailureKind.Stream)
            return $"What was received is kept in {target.Partial}: run the same command again to resume. {Discard}";
        var complete = chain.LastOrDefault(backup => partial.Has(backup.SnapshotGuid));
        var finish = complete is null || complete == chain[^1] ? "" : DescribeFinish(complete);
        return $"What was received is kept in {target.Partial}: if the backup is fixed on the server, run the same "
            + $"command again to resume. {finish}{Discard}";
    }

    private string DescribeFinish(SnapshotInfo complete)
    {
        var force = target.Exists ? " --force" : "";
        return $"To finish the restore with the state of {BackupName.OfSnapshot(complete)} instead: 'zfs-restore "
            + $"restore {complete.SnapshotId} {target.Name}{force}'. ";
    }
}
