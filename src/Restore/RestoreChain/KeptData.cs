using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// What a failed restore leaves. Received data may be days of work, so an unknown failure never removes them: only a
/// backup that is proven damaged makes the part of its snapshot useless.
/// </summary>
internal sealed class KeptData(Output output, RestoreTarget target, IReadOnlyList<SnapshotInfo> chain)
{
    private string Discard => $"To discard it, add --restart, or run 'zfs destroy -r {target.Partial}'.";

    /// <summary>
    /// Whether a failure to receive a backup proves that the part of its snapshot that was received is useless.
    /// </summary>
    public static bool ProvesDamage(Exception e) => FailureKinds.Of(e) == FailureKind.Stream;

    /// <summary>
    /// Removes the part of a snapshot whose backup is damaged. Snapshots that were received completely stay.
    /// </summary>
    public async Task DropUselessAsync()
    {
        try
        {
            if (await target.FindPartialAsync(CancellationToken.None) is not { } partial)
                return;
            if (partial.Snapshots.Count == 0)
                await target.RemovePartialAsync(CancellationToken.None);
            else if (partial.Token is not null)
                await target.DropPartAsync(CancellationToken.None);
        }
        catch (OperationException e)
        {
            output.Warn($"What was received of the damaged backup could not be removed: {e.Message}");
        }
    }

    /// <summary>Adds to a failure what is kept and how to continue.</summary>
    /// <returns>The failure itself if there is nothing to add, or if it is not one that users get as it is.</returns>
    public async Task<Exception> ExplainAsync(Exception e)
    {
        if (await DescribeAsync(FailureKinds.Of(e)) is not { } kept)
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
    private async Task<string?> DescribeAsync(FailureKind kind)
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
        var whole = chain.LastOrDefault(backup =>
            partial.Snapshots.Any(snapshot => snapshot.Guid == backup.SnapshotGuid)
        );
        if (kind == FailureKind.Stream && whole is not null && whole != chain[^1])
            return $"What was received before it is kept in {target.Partial}. To finish the restore with the state of "
                + $"{whole.DatasetName}@{whole.SnapshotName}: 'zfs-restore restore {whole.SnapshotId} {target.Name}'. "
                + Discard;
        return $"What was received is kept in {target.Partial}: run the same command again to resume. {Discard}";
    }
}
