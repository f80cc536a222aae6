using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.Download;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>Receives what is missing of a chain, under the temporary name of its dataset.</summary>
/// <param name="session">The server.</param>
/// <param name="target">The dataset.</param>
/// <param name="chain">The backups.</param>
/// <param name="encryption">Whether the dataset is encrypted.</param>
/// <param name="final">Its name in the end.</param>
internal sealed class ChainReceive(
    RestoreSession session,
    RestoreTarget target,
    ReceivedChain chain,
    ReceiveEncryption encryption,
    DatasetName final
)
{
    private readonly ForeignSnapshots _foreign = new(session);
    private readonly ReceiveRetry _retry = new(TimeProvider.System);
    private readonly RetryPolicy _reconnects = ServerRetry.Create(
        session.Settings.RetryTime,
        session.Output,
        TimeProvider.System
    );
    private bool _isEncryptionChecked;

    /// <summary>Whether another program made a snapshot meanwhile, because of which ZFS may have refused a
    /// stream.</summary>
    private bool _isWatched;

    /// <summary>How often ssh broke without progress in between.</summary>
    private int _disconnects;

    /// <summary>Index of the backup whose receive could not be resumed. That can only happen once.</summary>
    private int? _startedOver;

    /// <summary>Index of the backup that was announced last, and of the one whose retries were.</summary>
    private (int Backup, int Retry) _announced = (-1, -1);

    /// <summary>Decides where to begin, and removes what is in the way and proven useless.</summary>
    public async Task<RestorePlan> PlanAsync(bool startOver, CancellationToken cancellationToken)
    {
        var partial = await target.FindPartialAsync(cancellationToken);
        if (partial is null)
            return RestorePlan.FromStart;
        var plan = RestorePlan.Make(partial, chain.Backups, chain.All);
        if ((startOver ? "--restart was given" : plan.Useless) is { } reason)
        {
            session.Output.Note($"Removing {target.Partial}, left by an interrupted restore: {reason}.");
            await target.RemovePartialAsync(cancellationToken);
            return RestorePlan.FromStart;
        }

        if (plan.Conflict is not null)
            throw ConflictOf(plan);
        await _foreign.DestroyAsync(plan.Foreign, cancellationToken);
        if (plan.Dropped is { } why)
        {
            session.Output.Note(
                $"Dropping the snapshot that {target.Partial} was receiving: {why}. Its {plan.First} complete "
                    + "snapshots stay."
            );
            await target.DropPartAsync(cancellationToken);
        }

        return plan;
    }

    private OperationException ConflictOf(RestorePlan plan)
    {
        var finish = plan.ConflictingBackup is { } backup
            ? $"To finish that one: 'zfs-restore restore {backup.SnapshotId} {target.Name}'. "
            : "";
        return new OperationException(
            ExitCode.Conflict,
            $"{target.Partial} has what an interrupted restore of other backups received: {plan.Conflict}. Nothing of "
                + "it was removed.",
            $"{finish}To discard what was received, add --restart, or run 'zfs destroy -r {target.Partial}'. To keep "
                + "it, restore under another name."
        );
    }

    /// <returns>False if it had to start over.</returns>
    public async Task<bool> RunAsync(RestorePlan plan, CancellationToken cancellationToken)
    {
        var isResumed = true;
        while (plan.First < chain.Backups.Count)
        {
            try
            {
                await ReceiveNextAsync(plan, cancellationToken);
                plan = new RestorePlan(plan.First + 1, null);
            }
            catch (StreamCombinationException e) when (_startedOver != plan.First)
            {
                _startedOver = plan.First;
                isResumed = plan.First > 0;
                session.Output.Note($"The interrupted receive cannot be resumed and starts over. {e.Message}");
                plan = await StartBackupOverAsync(plan, cancellationToken);
            }
            catch (ZfsException e) when (!cancellationToken.IsCancellationRequested)
            {
                if (e.IsOutOfSpace)
                    throw new OperationException(ExitCode.NoSpace, e.Message, e.Remedy, e, FailureKind.User);
                if (e.Kind == FailureKind.Transient)
                {
                    plan = await ReconnectAsync(plan, e, cancellationToken);
                    continue;
                }

                var next = await FindCauseAsync(e, cancellationToken);
                if (next is null || !_retry.MayRetry(next))
                    throw;
                AnnounceRetry(next.First, e);
                await _retry.WaitAsync(cancellationToken);
                _isWatched |= next.Foreign.Count > 0;
                plan = next;
            }
        }

        await DestroyForeignAsync(cancellationToken);
        await CheckGuidAsync(chain.Backups[^1], cancellationToken);
        return isResumed;
    }

    /// <summary>
    /// The connection to the machine on which <c>zfs</c> runs broke. What it has received stays there, and the restore
    /// resumes when it can be reached again.
    /// </summary>
    /// <exception cref="ZfsException">It cannot be reached for too long.</exception>
    private async Task<RestorePlan> ReconnectAsync(
        RestorePlan before,
        ZfsException failure,
        CancellationToken cancellationToken
    )
    {
        while (true)
        {
            await _reconnects.WaitAsync(failure, ++_disconnects, cancellationToken);
            try
            {
                var plan = await PlanAsync(startOver: false, cancellationToken);
                if ((plan.First, plan.Token?.Bytes ?? 0).CompareTo((before.First, before.Token?.Bytes ?? 0)) > 0)
                {
                    _disconnects = 0;
                    _reconnects.Succeeded();
                }

                return plan;
            }
            catch (ZfsException e) when (e.Kind == FailureKind.Transient)
            {
                failure = e;
            }
        }
    }

    private async Task ReceiveNextAsync(RestorePlan plan, CancellationToken cancellationToken)
    {
        var backup = chain.Backups[plan.First];
        var digest = ChainDigest.Of(chain.Backups, plan.First + 1);
        if (plan is not { First: 0, Token: null })
            await CheckEncryptionAsync(cancellationToken);
        Announce(plan.First);
        if (plan is { First: > 0, Token: null })
            await target.NoteAsync(digest, cancellationToken);
        var receive = new SnapshotReceive(session.Settings.Zfs, chain.Names[plan.First], PrepareAsync);
        if (backup.IsLocal)
        {
            var live = new LiveReceive(session, backup, receive, plan.First, () => PlanResumeAsync(cancellationToken));
            await live.RunAsync(plan.Token, cancellationToken);
        }
        else
        {
            await new BackupReceive(session, backup, receive).RunAsync(plan.Token, cancellationToken);
        }

        async Task<IReadOnlyList<string>> PrepareAsync(bool isFirst)
        {
            if (isFirst && plan.First == 0)
                return await ChooseCreationAsync(backup, digest, cancellationToken);
            await DestroyForeignAsync(cancellationToken);
            // ZFS accepts a stream only if its base is the newest snapshot, when it begins and when it ends. Nobody is
            // always faster than a program that makes snapshots; with -F, ZFS destroys them when it looks.
            return _isWatched && plan.First > 0 ? ["-F"] : [];
        }
    }

    private void Announce(int index)
    {
        if (_announced.Backup == index)
            return;
        _announced.Backup = index;
        session.Output.Note($"Restoring {Describe(index)}: {chain.Backups[index].SnapshotId}");
    }

    /// <summary>Says once for each backup that it is received again: there may be two retries a second.</summary>
    private void AnnounceRetry(int index, ZfsException failure)
    {
        var text = $"Retrying {Describe(index)}, which ZFS refused: {failure.StandardError.Trim()}";
        if (_announced.Retry == index)
            session.Detail(text);
        else
            session.Output.Note(text);
        _announced.Retry = index;
    }

    private string Describe(int index) => $"{index + 1} of {chain.Backups.Count}";

    /// <summary>Options of <c>zfs receive</c> for the dataset that the first stream creates.</summary>
    private async Task<IReadOnlyList<string>> ChooseCreationAsync(
        SnapshotInfo full,
        string digest,
        CancellationToken cancellationToken
    )
    {
        var chosen = await encryption.ChooseAsync(full, target.Partial, final, cancellationToken);
        _isEncryptionChecked = true;
        return [.. RestoreMarks.CreationOptions(digest, full.DatasetType == "volume"), .. chosen];
    }

    private async Task CheckEncryptionAsync(CancellationToken cancellationToken)
    {
        if (_isEncryptionChecked)
            return;
        await encryption.CheckAsync(chain.Backups[0], target.Partial, cancellationToken);
        _isEncryptionChecked = true;
    }

    /// <summary>
    /// ZFS may refuse a stream if another program has made a snapshot since its base. One that was made after the last
    /// stream must not become a part of the restored dataset either.
    /// </summary>
    private async Task DestroyForeignAsync(CancellationToken cancellationToken)
    {
        if (await target.FindPartialAsync(cancellationToken) is not { } partial)
            return;
        var plan = RestorePlan.Make(partial, chain.Backups, chain.All);
        await _foreign.DestroyAsync(plan.Foreign, cancellationToken);
    }

    private async Task<RestorePlan> StartBackupOverAsync(RestorePlan plan, CancellationToken cancellationToken)
    {
        if (plan.First == 0)
            await target.RemovePartialAsync(cancellationToken);
        else
            await target.DropPartAsync(cancellationToken);
        return new RestorePlan(plan.First, null);
    }

    /// <summary>
    /// Looks for a reason why ZFS refused a stream that can be removed or passes by itself: a snapshot that another
    /// program made meanwhile, or a dataset that is in use at this moment.
    /// </summary>
    /// <returns>How to continue; null if there is no such reason.</returns>
    private async Task<RestorePlan?> FindCauseAsync(ZfsException failure, CancellationToken cancellationToken)
    {
        try
        {
            if (await target.FindPartialAsync(cancellationToken) is not { } partial)
                return failure.IsBusy ? RestorePlan.FromStart : null;
            var plan = RestorePlan.Make(partial, chain.Backups, chain.All);
            if (plan is not { Conflict: null, Useless: null, Dropped: null })
                return null;
            return plan.Foreign.Count > 0 || failure.IsBusy ? plan : null;
        }
        catch (OperationException e)
        {
            session.Detail($"The cause of the failure was not found: {e.Message}");
            return null; // what is thrown is why ZFS refused the stream
        }
    }

    /// <summary>Plans where to resume a receive that was interrupted in this run.</summary>
    private async Task<RestorePlan> PlanResumeAsync(CancellationToken cancellationToken)
    {
        await ReceivingProcess.WaitForEndAsync(session.Settings.Zfs, target.Partial, cancellationToken);
        return await PlanAsync(startOver: false, cancellationToken);
    }

    private async Task CheckGuidAsync(SnapshotInfo newest, CancellationToken cancellationToken)
    {
        var snapshots = await session.Settings.Zfs.ListSnapshotsAsync(target.Partial, cancellationToken);
        if (snapshots.Any(snapshot => !snapshot.Name.IsBookmark && snapshot.Guid == newest.SnapshotGuid))
            return;
        SnapshotGuid? received = snapshots.Count > 0 ? snapshots[^1].Guid : null;
        throw new OperationException(
            ExitCode.Damaged,
            $"zfs receive created a snapshot with the GUID {received?.ToString() ?? "(none)"}, not "
                + $"{newest.SnapshotGuid}.",
            "Report this: it should not be possible.",
            kind: FailureKind.Bug
        );
    }
}
