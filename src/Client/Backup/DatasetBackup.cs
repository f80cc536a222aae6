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
/// The backup of one dataset, in two steps, since the snapshots of several datasets are made together. First, what an
/// earlier run left is resumed or removed, and what to send is planned. Then, once the snapshot exists, it is sent, and
/// bookmarked when the server has committed. If that fails for good, the snapshot is destroyed; if it is interrupted or
/// killed, the next run finds the snapshot by its mark.
/// </summary>
internal sealed class DatasetBackup(
    DatasetFacts dataset,
    ClientSettings settings,
    ApiClient server,
    ServerInventory inventory,
    Output output,
    BackupOptions options,
    TimeProvider time
) : IDisposable
{
    private readonly SnapshotLifecycle _snapshots = new(settings.Zfs, inventory, output);
    private readonly BackupUpload _upload = new(settings, server, output, options.Verbose, time);
    private readonly UploadInquiry _inquiry = new(server, time);
    private FileStream? _lock;
    private BackupPlan? _plan;
    private ResumedBackup? _resumed;

    public DatasetName Dataset => dataset.Name;

    /// <summary>The result, if no new snapshot is needed; otherwise null.</summary>
    public BackupResult? Result { get; private set; }

    /// <summary>Names that a new snapshot must not have.</summary>
    public IReadOnlyList<SnapshotName> ExistingNames { get; private set; } = [];

    /// <summary>Prevents other runs on this machine from backing up the dataset.</summary>
    public void Lock() => _lock = DatasetLock.Acquire(settings.Zfs, dataset.Name);

    /// <summary>Resumes or removes what earlier runs left, and plans.</summary>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        if (await settings.Zfs.IsRedactedAsync(dataset.Name, cancellationToken))
        {
            // Tried on OpenZFS 2.3.2: the copy that is received has zeros in place of the redacted data, and no longer
            // the property that says so.
            throw new OperationException(
                ExitCode.Conflict,
                $"{dataset.Name} is a redacted dataset. A copy would silently contain zeros in place of the redacted "
                    + "data.",
                "Back up the dataset it was made from, and exclude this one (EXCLUDE)."
            );
        }

        // Uploads before backups: an upload that is committed between the two questions appears in the second answer.
        var uploads = await inventory.GetUploadsAsync(cancellationToken);
        var remote = await inventory.GetBackupsAsync(cancellationToken);
        await DemandOwnMachineAsync(remote, uploads, cancellationToken);
        var local = await settings.Zfs.ListMarkedSnapshotsAsync(dataset.Name, cancellationToken);
        if (!options.DryRun)
        {
            var leftovers = LeftoverPlan.Make(
                dataset,
                SendFlagPolicy.ForFull(dataset, settings),
                local,
                remote,
                uploads,
                inventory.Identity,
                options.MayResume
            );
            await CleanUpAsync(leftovers, cancellationToken);
            if (leftovers.Resume is { } interrupted)
            {
                _resumed = await ResumeAsync(interrupted, cancellationToken);
                inventory.Invalidate();
                if (_resumed is not null && options.Mode == BackupMode.Full && interrupted.Base is null)
                {
                    Result = BackupResult.OnlyResumed(_resumed);
                    return;
                }
            }
        }

        await PlanAsync(cancellationToken);
        var kind = _plan!.IsIncremental ? "incremental" : "full";
        output.Note($"{dataset.Name}: {kind} backup: {_plan.Reason}");
    }

    /// <summary>The result of a dry run.</summary>
    public BackupResult Describe(SnapshotName snapshot) => BackupResult.Planned(snapshot, _plan!);

    /// <summary>Sends the new snapshot, which is marked as pending.</summary>
    public async Task<BackupResult> SendAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        if (inventory.IsStale)
            await PlanAsync(cancellationToken); // the base may have been rotated away while other datasets were sent
        var plan = _plan!;
        var properties = await settings.Zfs.ReadPropertiesAsync(dataset.Name, cancellationToken);
        var source = new UploadSource(
            snapshot,
            WithProperties(Describe(snapshot, plan), properties),
            new ExpectedStream(snapshot, plan.Base?.Guid, dataset.IsVolume, plan.SendFlags),
            settings.Compression,
            new ZfsSend(snapshot.Name, plan.Base?.Name, plan.SendFlags)
        );
        var (backup, _) = await SendOrRemoveAsync(source, cancellationToken);
        return BackupResult.Done(backup, plan, _resumed);
    }

    public void Dispose() => _lock?.Dispose();

    private UploadRequest WithProperties(UploadRequest request, DatasetPropertySet properties)
    {
        var (sent, leftOut) = AnnouncedProperties.ToSend(properties.Own);
        if (leftOut.Count > 0)
            output.Warn(
                $"{dataset.Name} has more properties than a backup can store; a restore will not know {Names(leftOut)}"
            );
        if (properties.Unreadable is { Count: > 0 } unreadable)
            output.Warn(
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

    private async Task PlanAsync(CancellationToken cancellationToken)
    {
        var remote = await inventory.GetBackupsAsync(cancellationToken);
        var local = await settings.Zfs.ListMarkedSnapshotsAsync(dataset.Name, cancellationToken);
        ExistingNames = [.. local.Select(snapshot => snapshot.Name)];
        var flags = SendFlagPolicy.ForFull(dataset, settings);
        _plan = BackupPlan.Make(options.Mode, dataset.Name, flags, local, remote, settings.MaxChain);
    }

    /// <summary>
    /// Before a snapshot is made in vain. The server is asked all the same: it tells the other machine of this one.
    /// </summary>
    private async Task DemandOwnMachineAsync(
        IReadOnlyList<SnapshotInfo> backups,
        IReadOnlyList<UploadInfo> uploads,
        CancellationToken cancellationToken
    )
    {
        var machine = inventory.Identity.Machine;
        if (OtherMachine.Find(dataset.Name, machine.Id, backups, uploads) is not { } other)
            return;
        if (options.TakesOver)
        {
            output.Note($"{dataset.Name}: this machine takes over the backups of {other.Name}");
            return;
        }

        if (options.DryRun)
            throw other.ToFailure(dataset.Name, settings.Server.ClientId);
        var announced = await server.RequestUploadAsync(
            new UploadRequest
            {
                DatasetName = dataset.Name.Value,
                MachineId = machine.Id,
                MachineName = machine.Name,
            },
            cancellationToken
        );
        // What was in the way is gone since the lists were fetched.
        await _inquiry.AbortAsync(announced.UploadId);
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
        if (leftovers.Unclear is [var first, ..])
            output.Note(
                $"{dataset.Name}: {string.Join(", ", leftovers.Unclear.Select(snapshot => snapshot.Name.Leaf))} waits "
                    + "for an upload that this server does not know, marked by an earlier version or by a run on "
                    + "another host; left alone. If nothing else uses it: "
                    + $"zfs release {first.Upload!.HoldTag} {first.Name}; zfs destroy {first.Name}"
            );
        if (leftovers.Adopt.Count > 0)
            await _snapshots.AdoptAsync(leftovers.Adopt, cancellationToken);
        foreach (var snapshot in leftovers.Acknowledge)
            await AcknowledgeAsync(snapshot, cancellationToken);
        foreach (var snapshot in leftovers.Release)
            await _snapshots.ReleaseAsync(snapshot);
        foreach (var (upload, reason) in leftovers.Drop)
        {
            output.Note($"Discarding the interrupted upload of {upload.DatasetName}@{upload.SnapshotName}: {reason}");
            await _inquiry.AbortAsync(upload.UploadId);
        }

        if (leftovers.Remove.Count == 0)
            return;
        inventory.Invalidate();
        var committed = (await inventory.GetBackupsAsync(cancellationToken))
            .Select(backup => backup.SnapshotGuid)
            .ToHashSet();
        foreach (var snapshot in leftovers.Remove)
        {
            if (committed.Contains(snapshot.Guid))
            {
                // It was being committed when its upload was dropped.
                await AcknowledgeAsync(snapshot, cancellationToken);
                continue;
            }

            output.Note($"{snapshot.Name} from an interrupted run is not on the server; removing it");
            await _snapshots.RemoveAsync(snapshot);
        }
    }

    private Task AcknowledgeAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        output.Note($"{snapshot.Name} from an interrupted run is already on the server; marking it as committed");
        return _snapshots.AcknowledgeAsync(snapshot, cancellationToken);
    }

    /// <returns>Null if the upload cannot be resumed after all; then it and its snapshot are removed.</returns>
    private async Task<ResumedBackup?> ResumeAsync(InterruptedUpload interrupted, CancellationToken cancellationToken)
    {
        var snapshot = interrupted.Snapshot;
        output.Note(
            $"{snapshot.Name}: resuming the interrupted upload after "
                + $"{ByteSize.Format(interrupted.Upload.Resume!.StreamBytes)} of its stream"
        );
        await _snapshots.TakeOverAsync(snapshot, cancellationToken);
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
            output.Note($"{snapshot.Name}: its upload cannot be resumed; the backup starts over: {e.Message}");
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
            await _snapshots.RemoveAsync(source.Snapshot); // must never become a base
            throw;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            var (isKnown, committed) = await _inquiry.FindBackupAsync(source.Snapshot.Guid);
            if (!isKnown)
                output.Note(
                    $"{source.Snapshot.Name} is kept until the next run, which asks the server whether it has the "
                        + "backup."
                );
            else if (committed is null)
                await _snapshots.RemoveAsync(source.Snapshot);
            else
                await AcknowledgeAsync(source.Snapshot, committed);
            if (committed is null || e is OperationCanceledException)
                throw;
            output.Warn($"{source.Snapshot.Name} is stored, although the last answer about it was: {e.Message}");
            return (committed, 0);
        }

        await AcknowledgeAsync(source.Snapshot, sent.Item1);
        return sent;
    }

    /// <summary>Records that the server has the backup.</summary>
    /// <exception cref="OperationException">ZFS refuses; the message says that the backup is stored.</exception>
    private async Task AcknowledgeAsync(LocalSnapshot snapshot, SnapshotInfo backup)
    {
        try
        {
            await _snapshots.AcknowledgeAsync(snapshot, CancellationToken.None);
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
            ClientId = settings.Server.ClientId,
            MachineId = inventory.Identity.Machine.Id,
            MachineName = inventory.Identity.Machine.Name,
            TakeOver = options.TakesOver,
            DatasetName = dataset.Name.Value,
            SnapshotName = snapshot.Name.Leaf,
            SnapshotGuid = snapshot.Guid,
            FromGuid = plan.Base?.Guid,
            Incremental = plan.IsIncremental,
            Timestamp = snapshot.Creation,
            Compression = settings.Compression.ApiName(),
            Raw = plan.IsRaw,
            SendFlags = plan.SendFlags,
            StorageType = settings.StorageType,
            SnapshotType = snapshot.Type,
        };

    /// <summary>Repeats the first announcement, so that the server returns the open upload.</summary>
    private UploadRequest Describe(InterruptedUpload interrupted) =>
        new()
        {
            ClientId = settings.Server.ClientId,
            MachineId = inventory.Identity.Machine.Id,
            MachineName = inventory.Identity.Machine.Name,
            TakeOver = options.TakesOver,
            DatasetName = interrupted.Upload.DatasetName,
            SnapshotName = interrupted.Upload.SnapshotName ?? interrupted.Snapshot.Name.Leaf,
            SnapshotGuid = interrupted.Snapshot.Guid,
            FromGuid = interrupted.Upload.FromGuid,
            Incremental = interrupted.Upload.FromGuid is not null,
            Timestamp = interrupted.Snapshot.Creation,
            Compression = interrupted.Upload.Compression,
            SendFlags = interrupted.Upload.SendFlags, // the server's own; those of zfs send are in Expected
            StorageType = settings.StorageType,
            SnapshotType = interrupted.Snapshot.Type,
        };
}
