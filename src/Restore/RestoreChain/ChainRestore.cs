using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Receives a chain of backups, the full one first, into a new dataset; what an earlier run received of them is not
/// received again.
/// </summary>
/// <param name="session">The server.</param>
/// <param name="restart">Whether what an earlier run received is dropped.</param>
internal sealed class ChainRestore(RestoreSession session, bool restart)
{
    /// <param name="chain">The full backup first.</param>
    /// <param name="dataset">What is made.</param>
    /// <param name="force">Whether it may replace one that is there.</param>
    /// <param name="complete">Does what else belongs to it, before it takes its name; is told what it is called until
    /// then.</param>
    /// <returns>Where an earlier run was continued; null where none was.</returns>
    public async Task<ResumedRestore?> RestoreAsync(
        IReadOnlyList<SnapshotInfo> chain,
        DatasetName dataset,
        bool force,
        Func<DatasetName, Task> complete,
        CancellationToken cancellationToken
    )
    {
        var target = await RestoreTarget.PrepareAsync(session.Settings.Zfs, dataset, force, cancellationToken);
        var plan = await PlanAsync(target, chain, restart, cancellationToken);
        var isThere = plan.First > 0 || plan.Token is not null;
        if (isThere)
            session.Output.Note($"Going on with the restore that was interrupted: {Describe(plan, chain)}");
        TellMeans(chain);
        var isWhole = false;
        try
        {
            isThere &= await ReceiveAllAsync(target, chain, plan, cancellationToken);
            await CheckGuidAsync(chain[^1], target.Partial, cancellationToken);
            await complete(target.Partial);
            isWhole = true;
            await target.FinishAsync(cancellationToken);
            return isThere ? ResumedRestore.Of(plan, chain) : null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // What is whole and only cannot take its name, as that is in use, is not received again.
            if ((!isWhole && !Interruption.IsOne(e)) || await Interruption.DescribeKeptAsync(target) is not { } kept)
            {
                await CleanUpAsync(target);
                throw;
            }

            throw Interruption.Explain(e, kept);
        }
    }

    private async Task<RestorePlan> PlanAsync(
        RestoreTarget target,
        IReadOnlyList<SnapshotInfo> chain,
        bool startOver,
        CancellationToken cancellationToken
    )
    {
        var there = await target.FindPartialAsync(cancellationToken);
        var plan = RestorePlan.Make(there, chain);
        if (there is null || (plan.Unfit is null && !startOver))
            return plan;
        session.Output.Note(
            $"{target.Partial}, which an interrupted restore left, is removed: "
                + $"{(startOver ? "by --restart" : plan.Unfit)}."
        );
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
            await ReceiveRestAsync(target, chain, plan, cancellationToken);
            return true;
        }
        catch (StreamCombinationException e)
        {
            session.Output.Note($"The interrupted restore cannot be continued, and starts over. {e.Message}");
            await target.RemovePartialAsync(cancellationToken);
            await ReceiveRestAsync(target, chain, RestorePlan.Make(null, chain), cancellationToken);
            return false;
        }
    }

    private async Task ReceiveRestAsync(
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
            if (index > 0 && token is null)
                await target.NoteAsync(ChainDigest.Of(chain, index + 1), cancellationToken);
            var receive = new SnapshotReceive(
                session.Settings.Zfs,
                backup,
                SnapshotName.Snapshot(target.Partial, name),
                ChainDigest.Of(chain, index + 1)
            );
            if (backup.IsLocal)
                await new LiveReceive(session, backup, receive, () =>
                    PlanAgainAsync(target, chain, cancellationToken)
                ).RunAsync(token, cancellationToken);
            else
                await new BackupReceive(session, backup, receive).RunAsync(token, cancellationToken);
        }
    }

    /// <summary>Where a receive that broke in this run goes on.</summary>
    private async Task<RestorePlan> PlanAgainAsync(
        RestoreTarget target,
        IReadOnlyList<SnapshotInfo> chain,
        CancellationToken cancellationToken
    )
    {
        await ReceivingProcess.WaitForEndAsync(session.Settings.Zfs, target.Partial, cancellationToken);
        return await PlanAsync(target, chain, startOver: false, cancellationToken);
    }

    /// <summary>
    /// Snapshots of a chain may have had the same name, one after another; in one dataset the later one needs another.
    /// </summary>
    private static string ChooseName(string name, HashSet<string> taken)
    {
        var chosen = name;
        for (var number = 2; !taken.Add(chosen); number++)
            chosen = $"{name}-{number}";
        return chosen;
    }

    private static string Describe(RestorePlan plan, IReadOnlyList<SnapshotInfo> chain) =>
        plan.Token is { } token ? $"{ByteSize.Format((long)token.Bytes)} of {chain[plan.First].SnapshotId} are there"
        : plan.First == chain.Count ? "all is there"
        : $"{plan.First} of {chain.Count} backups are there";

    private void TellMeans(IReadOnlyList<SnapshotInfo> chain)
    {
        var engines = chain
            .Select(backup => backup.Compression)
            .Distinct(StringComparer.Ordinal)
            .Select(name =>
                CompressionFormats.TryParse(name, out var format) ? CompressionEngine.Describe(format) : name
            );
        session.Detail(
            $"Fetching up to {session.Settings.Lanes} parts at once, in "
                + $"{ByteSize.Format(session.Settings.PartMemory)} of memory (more only where one part is larger); "
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
                $"zfs receive made a snapshot with the GUID {received?.ToString() ?? "(none)"}, not "
                    + $"{newest.SnapshotGuid}.",
                "Please report this: it should not be possible."
            );
        }
    }

    private static async Task CleanUpAsync(RestoreTarget target)
    {
        try
        {
            await target.RemovePartialAsync(CancellationToken.None);
        }
        catch (OperationException e)
        {
            Output.Warn(
                $"{target.Partial} could not be removed; the next restore of the same dataset tries again. {e.Message}"
            );
        }
    }
}
