using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.Download;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Receives a chain of backups, the full one first, into a new dataset. What an earlier run received is not received
/// again.
/// </summary>
/// <param name="session">The server.</param>
/// <param name="restart">Whether to discard what an earlier run received.</param>
internal sealed class ChainRestore(RestoreSession session, bool restart)
{
    /// <param name="chain">The full backup first.</param>
    /// <param name="dataset">The dataset to create.</param>
    /// <param name="force">Whether an existing dataset may be replaced.</param>
    /// <param name="complete">Completes the restore before the dataset gets its final name; called with its temporary
    /// name.</param>
    /// <returns>Where an earlier run was resumed; null if none was.</returns>
    public async Task<ResumedRestore?> RestoreAsync(
        IReadOnlyList<SnapshotInfo> chain,
        DatasetName dataset,
        bool force,
        Func<DatasetName, Task> complete,
        CancellationToken cancellationToken
    )
    {
        var target = await RestoreTarget.PrepareAsync(session, dataset, force, cancellationToken);
        var plan = await PlanAsync(target, chain, restart, cancellationToken);
        var isResumed = plan.First > 0 || plan.Token is not null;
        if (isResumed)
            session.Output.Note($"Resuming the interrupted restore: {Describe(plan, chain)}");
        DescribeTransfer(chain);
        var isComplete = false;
        try
        {
            isResumed &= await ReceiveAllAsync(target, chain, plan, cancellationToken);
            await CheckGuidAsync(chain[^1], target.Partial, cancellationToken);
            await complete(target.Partial);
            isComplete = true;
            await target.FinishAsync(cancellationToken);
            return isResumed ? ResumedRestore.Of(plan, chain) : null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A complete dataset that only cannot be renamed, because the old one is in use, is kept too.
            string? kept = null;
            if (isComplete || Interruption.IsInterruption(e))
                kept = await Interruption.DescribeKeptAsync(target);
            if (kept is not null)
                throw Interruption.Explain(e, kept);
            await CleanUpAsync(target);
            throw;
        }
    }

    private async Task<RestorePlan> PlanAsync(
        RestoreTarget target,
        IReadOnlyList<SnapshotInfo> chain,
        bool startOver,
        CancellationToken cancellationToken
    )
    {
        var partial = await target.FindPartialAsync(cancellationToken);
        var plan = RestorePlan.Make(partial, chain);
        var reason = startOver ? "--restart was given" : plan.Unusable;
        if (partial is null || reason is null)
            return plan;
        session.Output.Note($"Removing {target.Partial}, left by an interrupted restore: {reason}.");
        await target.RemovePartialAsync(cancellationToken);
        return RestorePlan.Make(null, chain);
    }

    /// <returns>False if it had to start over.</returns>
    private async Task<bool> ReceiveAllAsync(
        RestoreTarget target,
        IReadOnlyList<SnapshotInfo> chain,
        RestorePlan plan,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await ReceiveRemainingAsync(target, chain, plan, cancellationToken);
            return true;
        }
        catch (StreamCombinationException e)
        {
            session.Output.Note($"The interrupted restore cannot be resumed and starts over. {e.Message}");
            await target.RemovePartialAsync(cancellationToken);
            await ReceiveRemainingAsync(target, chain, RestorePlan.Make(null, chain), cancellationToken);
            return false;
        }
    }

    private async Task ReceiveRemainingAsync(
        RestoreTarget target,
        IReadOnlyList<SnapshotInfo> chain,
        RestorePlan plan,
        CancellationToken cancellationToken
    )
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (index, backup) in chain.Index())
        {
            var name = ChooseName(backup.SnapshotName, names);
            if (index < plan.First)
                continue;
            session.Output.Note($"Restoring {index + 1} of {chain.Count}: {backup.SnapshotId}");
            var token = index == plan.First ? plan.Token : null;
            var digest = ChainDigest.Of(chain, index + 1);
            if (index > 0 && token is null)
                await target.NoteAsync(digest, cancellationToken);
            var snapshot = SnapshotName.Snapshot(target.Partial, name);
            var receive = new SnapshotReceive(session.Settings.Zfs, backup, snapshot, digest);
            if (backup.IsLocal)
            {
                var live = new LiveReceive(session, backup, receive, () =>
                    PlanResumeAsync(target, chain, cancellationToken)
                );
                await live.RunAsync(token, cancellationToken);
            }
            else
            {
                await new BackupReceive(session, backup, receive).RunAsync(token, cancellationToken);
            }
        }
    }

    /// <summary>Plans where to resume a receive that was interrupted in this run.</summary>
    private async Task<RestorePlan> PlanResumeAsync(
        RestoreTarget target,
        IReadOnlyList<SnapshotInfo> chain,
        CancellationToken cancellationToken
    )
    {
        await ReceivingProcess.WaitForEndAsync(session.Settings.Zfs, target.Partial, cancellationToken);
        return await PlanAsync(target, chain, startOver: false, cancellationToken);
    }

    /// <summary>
    /// Successive snapshots of a chain may have had the same name. In one dataset, the later one needs another name.
    /// </summary>
    private static string ChooseName(string name, HashSet<string> used)
    {
        var chosen = name;
        var number = 1;
        while (!used.Add(chosen))
        {
            number++;
            chosen = $"{name}-{number}";
        }

        return chosen;
    }

    private static string Describe(RestorePlan plan, IReadOnlyList<SnapshotInfo> chain)
    {
        if (plan.Token is { } token)
            return $"{ByteSize.Format((long)token.Bytes)} of {chain[plan.First].SnapshotId} already received";
        if (plan.First == chain.Count)
            return "everything already received";
        return $"{plan.First} of {chain.Count} backups already received";
    }

    private void DescribeTransfer(IReadOnlyList<SnapshotInfo> chain)
    {
        var engines = chain
            .Select(backup => backup.Compression)
            .Distinct(StringComparer.Ordinal)
            .Select(name =>
                CompressionFormats.TryParse(name, out var format) ? CompressionEngine.Describe(format) : name
            );
        session.Detail(
            $"Fetching up to {session.Settings.ParallelParts} parts at once, in "
                + $"{ByteSize.Format(session.Settings.PartMemory)} of memory (more only if a single part is larger); "
                + $"{string.Join(", ", engines)}; waiting up to {session.Settings.RetryTime.TotalSeconds:0} s for "
                + "the server"
        );
    }

    private async Task CheckGuidAsync(SnapshotInfo newest, DatasetName dataset, CancellationToken cancellationToken)
    {
        var snapshots = await session.Settings.Zfs.ListSnapshotsAsync(dataset, cancellationToken);
        SnapshotGuid? received = snapshots.Count > 0 ? snapshots[^1].Guid : null;
        if (received != newest.SnapshotGuid)
        {
            throw new OperationException(
                ExitCode.Damaged,
                $"zfs receive created a snapshot with the GUID {received?.ToString() ?? "(none)"}, not "
                    + $"{newest.SnapshotGuid}.",
                "Report this: it should not be possible."
            );
        }
    }

    private async Task CleanUpAsync(RestoreTarget target)
    {
        try
        {
            await target.RemovePartialAsync(CancellationToken.None);
        }
        catch (OperationException e)
        {
            session.Output.Warn(
                $"{target.Partial} could not be removed; the next restore of the same dataset tries again. {e.Message}"
            );
        }
    }
}
