using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// The backup of one dataset, in two steps, since the snapshots of several are made together. First what an earlier run
/// left is settled, or goes on, and it is decided what will be sent; then, once there is a snapshot, it is sent, and
/// bookmarked when the server has committed. If that fails for good, the snapshot goes again; if it is interrupted or
/// killed, the next run finds the snapshot by its mark.
/// </summary>
internal sealed class DatasetBackup(
    DatasetFacts dataset,
    ClientSettings settings,
    ApiClient server,
    ServerLists lists,
    Output output,
    BackupOptions options,
    TimeProvider time
) : IDisposable
{
    private readonly SnapshotCare _care = new(settings.Zfs, output);
    private readonly BackupUpload _upload = new(settings, server, output, options.Verbose, time);
    private FileStream? _lock;
    private BackupPlan? _plan;
    private ResumedBackup? _resumed;

    public DatasetName Dataset => dataset.Name;

    /// <summary>What was done, where no further snapshot is needed for it; null where one is.</summary>
    public BackupResult? Result { get; private set; }

    /// <summary>Names that a new snapshot must not have.</summary>
    public IReadOnlyList<SnapshotName> TakenNames { get; private set; } = [];

    /// <summary>Sees to it that nobody else backs the dataset up.</summary>
    public void Lock() => _lock = DatasetLock.Take(settings.Zfs, dataset.Name);

    /// <summary>Settles what earlier runs left, and plans.</summary>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        if (await settings.Zfs.IsRedactedAsync(dataset.Name, cancellationToken))
        {
            // Tried on OpenZFS 2.3.2: what is received of such a dataset's send has zeros for what was left out, and
            // nothing says so any more.
            throw new OperationException(
                ExitCode.Conflict,
                $"{dataset.Name} is redacted: a copy of it would have zeros where it has nothing, without a sign.",
                "Back up the dataset that it was made of, and leave this one out (EXCLUDE)."
            );
        }

        // First: what is committed meanwhile is then a backup.
        var uploads = await lists.GetUploadsAsync(cancellationToken);
        var remote = await lists.GetBackupsAsync(cancellationToken);
        var local = await settings.Zfs.ListSnapshotsAsync(dataset.Name, cancellationToken);
        if (!options.DryRun)
        {
            var leftovers = LeftoverPlan.Make(dataset.Name, local, remote, uploads, options.MayResume);
            await SettleAsync(leftovers, cancellationToken);
            if (leftovers.Resume is { } interrupted)
            {
                _resumed = await ResumeAsync(interrupted, cancellationToken);
                lists.Forget();
                if (_resumed is not null && options.Mode == BackupMode.Full && interrupted.Base is null)
                {
                    Result = BackupResult.OnlyResumed(_resumed);
                    return;
                }
            }
        }

        await PlanAsync(cancellationToken);
        output.Note($"{dataset.Name}: {(_plan!.IsIncremental ? "incremental" : "full")} backup: {_plan.Reason}");
    }

    /// <summary>What a dry run says.</summary>
    public BackupResult Describe(SnapshotName snapshot) => BackupResult.Planned(snapshot, _plan!);

    /// <summary>Sends the new snapshot, which is marked as pending.</summary>
    public async Task<BackupResult> SendAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        if (lists.AreOld)
            await PlanAsync(cancellationToken); // it may have waited for hours while others were sent
        var plan = _plan!;
        var (properties, leftOut) = DatasetProperties.ToSend(
            await settings.Zfs.GetOwnPropertiesAsync(dataset.Name, cancellationToken)
        );
        if (leftOut.Count > 0)
            Output.Warn(
                $"{dataset.Name} has more properties than a backup takes along; a restore will not know "
                    + $"{leftOut[0]}{(leftOut.Count > 1 ? $" and {leftOut.Count - 1} more" : "")}"
            );
        var job = new UploadJob(
            snapshot,
            Describe(snapshot, plan, properties),
            settings.Compression,
            new ZfsSend(snapshot.Name, plan.Base?.Name, plan.SendFlags)
        );
        var (backup, _) = await SendOrRemoveAsync(job, cancellationToken);
        return BackupResult.Done(backup, plan, _resumed);
    }

    public void Dispose() => _lock?.Dispose();

    private async Task PlanAsync(CancellationToken cancellationToken)
    {
        var remote = await lists.GetBackupsAsync(cancellationToken);
        var local = await settings.Zfs.ListSnapshotsAsync(dataset.Name, cancellationToken);
        TakenNames = [.. local.Select(snapshot => snapshot.Name)];
        var flags = SendFlags.ForFull(dataset, settings);
        _plan = BackupPlan.Make(options.Mode, dataset.Name, flags, local, remote, settings.MaxChain);
    }

    private async Task SettleAsync(LeftoverPlan leftovers, CancellationToken cancellationToken)
    {
        foreach (var snapshot in leftovers.Acknowledge)
            await AcknowledgeAsync(snapshot, cancellationToken);
        foreach (var snapshot in leftovers.Release)
            await _care.ReleaseAsync(snapshot);
        foreach (var (upload, reason) in leftovers.Drop)
        {
            output.Note($"The interrupted upload of {upload.DatasetName}@{upload.SnapshotName} is dropped: {reason}");
            await UploadAbort.RunAsync(server, upload.UploadId, time);
        }

        if (leftovers.Remove.Count == 0)
            return;
        lists.Forget();
        var committed = (await lists.GetBackupsAsync(cancellationToken))
            .Select(backup => backup.SnapshotGuid)
            .ToHashSet();
        foreach (var snapshot in leftovers.Remove)
        {
            if (committed.Contains(snapshot.Guid))
            {
                // Its commit was under way when its upload was dropped.
                await AcknowledgeAsync(snapshot, cancellationToken);
                continue;
            }

            output.Note($"{snapshot.Name} of an interrupted run is not on the server: removing it");
            await _care.RemoveAsync(snapshot);
        }
    }

    private Task AcknowledgeAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        output.Note($"{snapshot.Name} of an interrupted run is on the server: noting that");
        return _care.AcknowledgeAsync(snapshot, cancellationToken);
    }

    /// <returns>Null where it cannot go on after all; then nothing of it is left.</returns>
    private async Task<ResumedBackup?> ResumeAsync(InterruptedUpload interrupted, CancellationToken cancellationToken)
    {
        var snapshot = interrupted.Snapshot;
        output.Note(
            $"{snapshot.Name}: the interrupted upload goes on after "
                + $"{ByteSize.Format(interrupted.Upload.Resume!.StreamBytes)} of its stream"
        );
        await _care.HoldAsync(snapshot);
        try
        {
            var (backup, from) = await SendOrRemoveAsync(
                new UploadJob(snapshot, Describe(interrupted), interrupted.Compression, Send: null),
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
            output.Note($"{snapshot.Name} cannot go on, so the backup starts over: {e.Message}");
            return null;
        }
    }

    private async Task<(SnapshotInfo Backup, long ResumedFrom)> SendOrRemoveAsync(
        UploadJob job,
        CancellationToken cancellationToken
    )
    {
        (SnapshotInfo, long) sent;
        try
        {
            sent = await _upload.SendAsync(job, cancellationToken);
        }
        catch (UploadInterruptedException)
        {
            throw; // snapshot and upload stay for the next run
        }
        catch (Exception e) when (e is StoredContentMismatchException or NotResumableException)
        {
            await _care.RemoveAsync(job.Snapshot); // never to be a base
            throw;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            var (known, committed) = await CommittedBackup.FindAsync(server, job.Snapshot.Guid, time);
            if (!known)
                output.Note($"{job.Snapshot.Name} stays until the next run, which asks the server whether it has it.");
            else if (committed is null)
                await _care.RemoveAsync(job.Snapshot);
            else
                await _care.AcknowledgeAsync(job.Snapshot, CancellationToken.None);
            throw;
        }

        await _care.AcknowledgeAsync(job.Snapshot, CancellationToken.None);
        return sent;
    }

    private UploadRequest Describe(
        LocalSnapshot snapshot,
        BackupPlan plan,
        IReadOnlyDictionary<string, string>? properties
    ) =>
        new()
        {
            ClientId = settings.Server.ClientId,
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
            Properties = properties,
        };

    /// <summary>What was said at first, so that the server gives the upload that is under way.</summary>
    private UploadRequest Describe(InterruptedUpload interrupted) =>
        new()
        {
            ClientId = settings.Server.ClientId,
            DatasetName = interrupted.Upload.DatasetName,
            SnapshotName = interrupted.Upload.SnapshotName ?? interrupted.Snapshot.Name.Leaf,
            SnapshotGuid = interrupted.Snapshot.Guid,
            FromGuid = interrupted.Upload.FromGuid,
            Incremental = interrupted.Upload.FromGuid is not null,
            Timestamp = interrupted.Snapshot.Creation,
            Compression = interrupted.Upload.Compression,
            SendFlags = interrupted.Upload.SendFlags,
            StorageType = settings.StorageType,
            SnapshotType = interrupted.Snapshot.Type,
        };
}
