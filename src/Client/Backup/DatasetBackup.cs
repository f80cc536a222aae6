using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// The backup of one dataset, whose new snapshot exists: the snapshots of several datasets are made together. What an
/// earlier run left is resumed or removed; then the snapshot is sent, and bookmarked when the server has committed. If
/// that fails for good, the snapshot is destroyed; if it is interrupted or killed, the next run finds the snapshot by
/// its mark.
/// </summary>
internal sealed class DatasetBackup(
    DatasetFacts dataset,
    BackupRun run,
    ServerInventory inventory,
    LocalSnapshots localSnapshots,
    LocalProperties localProperties,
    SnapshotLifecycle snapshots
)
{
    private readonly ClientSettings _settings = run.Settings;
    private readonly Output _output = run.Output;
    private readonly BackupUpload _upload = new(run.Settings, run.Server, run.Output, run.Options.Verbose, run.Time);

    private readonly UploadInquiry _inquiry = new(run.Server, run.Time);

    /// <summary>Whether this has changed the dataset's snapshots or bookmarks.</summary>
    private bool _isChanged;

    /// <summary>The result of a dry run.</summary>
    public async Task<BackupResult> DescribeAsync(SnapshotName snapshot, CancellationToken cancellationToken)
    {
        var uploads = await inventory.GetUploadsAsync(cancellationToken);
        var local = await GetLocalAsync(cancellationToken);
        var remote = await inventory.GetBackupsAsync(dataset.Name, local, cancellationToken);
        await DemandOwnMachineAsync(local, remote, uploads, cancellationToken);
        return BackupResult.Planned(snapshot, await PlanAsync(cancellationToken));
    }

    /// <summary>Resumes or removes what earlier runs left, then sends the new snapshot.</summary>
    /// <param name="snapshot">The new snapshot, which is marked as pending.</param>
    public async Task<BackupResult> RunAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        ResumedBackup? resumed;
        BackupPlan plan;
        UploadSource source;
        try
        {
            resumed = await SettleAsync(snapshot, cancellationToken);
            if (resumed is { Base: null } && run.Options.Mode == BackupMode.Full)
            {
                // What was asked for is done, so that the snapshot of now is not sent as well.
                await snapshots.RemoveAsync([snapshot]);
                return BackupResult.OnlyResumed(resumed);
            }

            plan = await PlanAsync(cancellationToken);
            source = await PrepareAsync(snapshot, plan, cancellationToken);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            await snapshots.RemoveAsync([snapshot]); // nothing of it was sent, and the next run makes a newer one
            throw;
        }

        var (backup, _) = await SendOrRemoveAsync(source, cancellationToken);
        return BackupResult.Done(snapshot.Name, backup, plan, resumed);
    }

    /// <returns>The backup that was resumed; null if there was none.</returns>
    private async Task<ResumedBackup?> SettleAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        var uploads = await inventory.GetUploadsAsync(cancellationToken);
        var local = await GetLocalAsync(cancellationToken);
        var remote = await inventory.GetBackupsAsync(dataset.Name, local, cancellationToken);
        await DemandOwnMachineAsync(local, remote, uploads, cancellationToken);
        var left = local.Where(one => one.Guid != snapshot.Guid).ToList();
        var leftovers = LeftoverPlan.Make(
            dataset,
            SendFlagPolicy.ForFull(dataset, _settings),
            left,
            remote,
            uploads,
            inventory.Identity,
            run.Options.MayResume
        );
        await CleanUpAsync(leftovers, cancellationToken);
        if (leftovers.Resume is not { } interrupted)
            return null;
        var resumed = await ResumeAsync(interrupted, cancellationToken);
        _isChanged = true;
        return resumed;
    }

    private async Task<UploadSource> PrepareAsync(
        LocalSnapshot snapshot,
        BackupPlan plan,
        CancellationToken cancellationToken
    )
    {
        var properties = await localProperties.GetAsync(dataset.Name, cancellationToken);
        return new UploadSource(
            snapshot,
            WithProperties(Describe(snapshot, plan), properties),
            new ExpectedStream(snapshot, plan.Base?.Guid, dataset.IsVolume, plan.SendFlags),
            _settings.Compression,
            new ZfsSend(snapshot.Name, plan.Base?.Name, plan.SendFlags)
        );
    }

    private UploadRequest WithProperties(UploadRequest request, DatasetPropertySet properties)
    {
        var (sent, leftOut) = AnnouncedProperties.ToSend(properties.Own);
        if (leftOut.Count > 0)
            _output.Warn(
                $"{dataset.Name} has more properties than a backup can store; a restore will not know {Names(leftOut)}"
            );
        if (properties.Unreadable is { Count: > 0 } unreadable)
            _output.Warn(
                $"{dataset.Name} has properties whose values are no UTF-8; a restore will not know {Names(unreadable)}"
            );
        return request with
        {
            Properties = sent,
            EffectiveProperties = AnnouncedProperties.Effective(properties.Behaviour),
        };
    }

    private static string Names(IReadOnlyList<string> names) =>
        names.Count == 1 ? names[0] : $"{names[0]} and {names.Count - 1} more";

    private Task<IReadOnlyList<LocalSnapshot>> GetLocalAsync(CancellationToken cancellationToken) =>
        localSnapshots.GetAsync(dataset.Name, _isChanged, cancellationToken);

    private async Task<BackupPlan> PlanAsync(CancellationToken cancellationToken)
    {
        var local = await GetLocalAsync(cancellationToken);
        var remote = await inventory.GetBackupsAsync(dataset.Name, local, cancellationToken);
        var flags = SendFlagPolicy.ForFull(dataset, _settings);
        var plan = BackupPlan.Make(run.Options.Mode, dataset.Name, flags, local, remote, _settings.MaxChain);
        var kind = plan.IsIncremental ? "incremental" : "full";
        _output.Note($"{dataset.Name}: {kind} backup: {plan.Reason}");
        return plan;
    }

    /// <summary>
    /// Before anything of an earlier run is touched. The server is asked all the same: it tells the other machine of
    /// this one.
    /// </summary>
    private async Task DemandOwnMachineAsync(
        IReadOnlyList<LocalSnapshot> local,
        IReadOnlyList<SnapshotInfo> backups,
        IReadOnlyList<UploadInfo> uploads,
        CancellationToken cancellationToken
    )
    {
        var machine = inventory.Identity.Machine;
        if (OtherMachine.Find(dataset.Name, machine, backups, uploads, local) is not { } other)
            return;
        if (run.Options.TakesOver)
        {
            _output.Note($"{dataset.Name}: this machine takes over the backups of {other.Name}");
            return;
        }

        if (run.Options.DryRun)
            throw other.ToFailure(dataset.Name, _settings.Server.ClientId);
        var announced = await run.Server.RequestUploadAsync(
            new UploadRequest
            {
                DatasetName = dataset.Name.Value,
                MachineId = machine.Id,
                MachineName = machine.Name,
            },
            cancellationToken
        );
        // What was in the way is gone since the lists were fetched; or it is a clone, which only this side can tell
        // from a machine that was renamed.
        await _inquiry.AbortAsync(announced.UploadId);
        if (other.IsClone)
            throw other.ToFailure(dataset.Name, _settings.Server.ClientId);
    }

    private async Task CleanUpAsync(LeftoverPlan leftovers, CancellationToken cancellationToken)
    {
        if (leftovers.Active is { } active)
            throw new OperationException(
                ExitCode.Conflict,
                $"A run on another host is backing up {dataset.Name}: its upload {active.UploadId} is active.",
                "Wait until it has finished. If that host is gone, wait 15 minutes, or run 'zfs-client backup "
                    + "--take-over'."
            );
        foreach (var line in leftovers.DescribeLeftAlone())
            _output.Note($"{dataset.Name}: {line}");
        await snapshots.AdoptAsync(leftovers.Adopt);
        foreach (var snapshot in leftovers.Acknowledge)
            await AcknowledgeAsync(snapshot, cancellationToken);
        await snapshots.ReleaseAsync(leftovers.Release);
        foreach (var (upload, reason) in leftovers.Drop)
        {
            _output.Note($"Discarding the interrupted upload of {upload.DatasetName}@{upload.SnapshotName}: {reason}");
            await _inquiry.AbortAsync(upload.UploadId);
        }

        var dropped = leftovers.Drop.Select(drop => drop.Upload.SnapshotGuid).ToHashSet();
        if (dropped.Count > 0)
            inventory.Invalidate();
        foreach (var snapshot in leftovers.Remove)
        {
            _isChanged = true;
            if (dropped.Contains(snapshot.Guid) && await inventory.HasAsync(snapshot.Guid, cancellationToken))
            {
                // It was being committed when its upload was dropped.
                await AcknowledgeAsync(snapshot, cancellationToken);
                continue;
            }

            _output.Note($"{snapshot.Name} from an interrupted run is not on the server; removing it");
            await snapshots.RemoveAsync([snapshot]);
        }
    }

    private Task AcknowledgeAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        _isChanged = true;
        _output.Note($"{snapshot.Name} from an interrupted run is already on the server; marking it as committed");
        return snapshots.AcknowledgeAsync(snapshot, cancellationToken);
    }

    /// <returns>Null if the upload cannot be resumed after all; then it and its snapshot are removed.</returns>
    private async Task<ResumedBackup?> ResumeAsync(InterruptedUpload interrupted, CancellationToken cancellationToken)
    {
        var snapshot = interrupted.Snapshot;
        _output.Note(
            $"{snapshot.Name}: resuming the interrupted upload after "
                + $"{ByteSize.Format(interrupted.Upload.Resume!.StreamBytes)} of its stream"
        );
        await snapshots.TakeOverAsync(snapshot, cancellationToken);
        try
        {
            var (backup, from) = await SendOrRemoveAsync(
                new UploadSource(
                    snapshot,
                    Describe(interrupted),
                    interrupted.Expected,
                    interrupted.Compression,
                    Send: null,
                    interrupted.Upload.Resume.StreamBytes
                ),
                cancellationToken
            );
            return new ResumedBackup
            {
                Snapshot = snapshot.Name.ToString(),
                Base = interrupted.Base?.Name.ToString(),
                FromBytes = from,
                Backup = backup,
            };
        }
        catch (NotResumableException e)
        {
            _output.Note($"{snapshot.Name}: its upload cannot be resumed; the backup starts over: {e.Message}");
            return null;
        }
    }

    private async Task<(SnapshotInfo Backup, long ResumedFrom)> SendOrRemoveAsync(
        UploadSource source,
        CancellationToken cancellationToken
    )
    {
        (SnapshotInfo, long) sent;
        try
        {
            sent = await _upload.SendAsync(source, cancellationToken);
        }
        catch (UploadInterruptedException)
        {
            throw; // snapshot and upload are kept for the next run
        }
        catch (Exception e) when (e is StoredContentMismatchException or NotResumableException)
        {
            await snapshots.RemoveAsync([source.Snapshot]); // must never become a base
            throw;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            var (isKnown, committed) = await _inquiry.FindBackupAsync(source.Snapshot.Guid);
            if (!isKnown)
                _output.Note(
                    $"{source.Snapshot.Name} is kept until the next run, which asks the server whether it has the "
                        + "backup."
                );
            else if (committed is null)
                await snapshots.RemoveAsync([source.Snapshot]);
            else
                await AcknowledgeAsync(source.Snapshot, committed);
            if (committed is null || e is OperationCanceledException)
                throw;
            _output.Warn($"{source.Snapshot.Name} is stored, although the last answer about it was: {e.Message}");
            return (committed, 0);
        }

        await AcknowledgeAsync(source.Snapshot, sent.Item1);
        return sent;
    }

    /// <summary>Records that the server has the backup.</summary>
    /// <exception cref="OperationException">ZFS refuses; the message says that the backup is stored.</exception>
    private async Task AcknowledgeAsync(LocalSnapshot snapshot, SnapshotInfo backup)
    {
        inventory.Add(backup);
        try
        {
            await snapshots.AcknowledgeAsync(snapshot, CancellationToken.None);
        }
        catch (ZfsException e)
        {
            throw new OperationException(
                ExitCode.Zfs,
                $"{snapshot.Name} is backed up: the server has verified and stored it as {backup.SnapshotId}. Only its "
                    + $"bookmark and mark could not be set: {e.Message}",
                "The next backup of the dataset sets them, under its new name if it was renamed. "
                    + $"If its pool was exported, import it. {e.Remedy}".TrimEnd(),
                e,
                e.Kind
            );
        }
    }

    private UploadRequest Describe(LocalSnapshot snapshot, BackupPlan plan) =>
        new()
        {
            ClientId = _settings.Server.ClientId,
            MachineId = inventory.Identity.Machine.Id,
            MachineName = inventory.Identity.Machine.Name,
            TakeOver = run.Options.TakesOver,
            DatasetName = dataset.Name.Value,
            SnapshotName = snapshot.Name.Leaf,
            SnapshotGuid = snapshot.Guid,
            FromGuid = plan.Base?.Guid,
            Incremental = plan.IsIncremental,
            Timestamp = snapshot.Creation,
            Compression = _settings.Compression.ApiName(),
            Raw = plan.IsRaw,
            SendFlags = plan.SendFlags,
            StorageType = _settings.StorageType,
            SnapshotType = snapshot.Type,
        };

    /// <summary>Repeats the first announcement, so that the server returns the open upload.</summary>
    private UploadRequest Describe(InterruptedUpload interrupted) =>
        new()
        {
            ClientId = _settings.Server.ClientId,
            MachineId = inventory.Identity.Machine.Id,
            MachineName = inventory.Identity.Machine.Name,
            TakeOver = run.Options.TakesOver,
            DatasetName = interrupted.Upload.DatasetName,
            SnapshotName = interrupted.Upload.SnapshotName ?? interrupted.Snapshot.Name.Leaf,
            SnapshotGuid = interrupted.Snapshot.Guid,
            FromGuid = interrupted.Upload.FromGuid,
            Incremental = interrupted.Upload.FromGuid is not null,
            Timestamp = interrupted.Snapshot.Creation,
            Compression = interrupted.Upload.Compression,
            SendFlags = interrupted.Upload.SendFlags, // the server's own; those of zfs send are in Expected
            StorageType = _settings.StorageType,
            SnapshotType = interrupted.Snapshot.Type,
        };
}
