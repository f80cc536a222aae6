using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// One backup of one dataset: what an earlier run left is settled, or goes on; then a snapshot, its stream, and a bookmark once the server has
/// committed. If it fails for good, the snapshot goes again; if it is interrupted or killed, the next run finds the snapshot by its mark.
/// </summary>
internal sealed class BackupRun(ClientSettings settings, ApiClient server, Output output, BackupOptions options, TimeProvider time)
{
    private readonly SnapshotCare _care = new(output);
    private readonly BackupUpload _upload = new(settings, server, output, options.Verbose, time);

    public async Task<BackupResult> RunAsync(CancellationToken cancellationToken)
    {
        using var _ = DatasetLock.Take(settings.Dataset);
        var uploads = await server.GetUploadsAsync(cancellationToken).ConfigureAwait(false); // first: what is committed meanwhile is then a backup
        var (local, remote) = await ListAsync(cancellationToken).ConfigureAwait(false);
        ResumedBackup? resumed = null;
        if (!options.DryRun)
        {
            var leftovers = LeftoverPlan.Make(settings.Dataset, local, remote, uploads, options.MayResume);
            await SettleAsync(leftovers, cancellationToken).ConfigureAwait(false);
            if (leftovers.Resume is { } interrupted)
            {
                resumed = await ResumeAsync(interrupted, cancellationToken).ConfigureAwait(false);
                if (resumed is not null && options.Mode == BackupMode.Full && interrupted.Base is null) return BackupResult.OnlyResumed(resumed);
            }

            (local, remote) = await ListAsync(cancellationToken).ConfigureAwait(false);
        }

        var plan = BackupPlan.Make(options.Mode, settings.Dataset, local, remote, settings.MaxChain);
        output.Note($"{settings.Dataset}: {(plan.IsIncremental ? "incremental" : "full")} backup: {plan.Reason}");
        var name = SnapshotNaming.Choose(settings.Dataset, settings.SnapshotPrefix, options.Type, time.GetUtcNow(), local.Select(s => s.Name));
        if (options.DryRun) return BackupResult.Planned(name, plan);

        var snapshot = await _care.CreateAsync(name, options.Type, cancellationToken).ConfigureAwait(false);
        var job = new UploadJob(snapshot, Describe(snapshot, plan), settings.Compression, new ZfsSend(snapshot.Name, plan.Base?.Name, plan.SendFlags));
        var (backup, _) = await SendOrRemoveAsync(job, cancellationToken).ConfigureAwait(false);
        return BackupResult.Done(backup, plan, resumed);
    }

    private async Task<(IReadOnlyList<LocalSnapshot> Local, IReadOnlyList<SnapshotInfo> Remote)> ListAsync(CancellationToken cancellationToken)
    {
        var remote = await server.GetSnapshotsAsync(cancellationToken).ConfigureAwait(false);
        return (await ZfsDataset.ListSnapshotsAsync(settings.Dataset, cancellationToken).ConfigureAwait(false), remote);
    }

    private async Task SettleAsync(LeftoverPlan leftovers, CancellationToken cancellationToken)
    {
        foreach (var snapshot in leftovers.Acknowledge) await AcknowledgeAsync(snapshot, cancellationToken).ConfigureAwait(false);
        foreach (var snapshot in leftovers.Release) await SnapshotCare.ReleaseAsync(snapshot).ConfigureAwait(false);
        foreach (var (upload, reason) in leftovers.Drop)
        {
            output.Note($"The interrupted upload of {upload.DatasetName}@{upload.SnapshotName} is dropped: {reason}");
            await UploadAbort.RunAsync(server, upload.UploadId, time).ConfigureAwait(false);
        }

        if (leftovers.Remove.Count == 0) return;
        var committed = (await server.GetSnapshotsAsync(cancellationToken).ConfigureAwait(false)).Select(backup => backup.SnapshotGuid).ToHashSet();
        foreach (var snapshot in leftovers.Remove)
        {
            if (committed.Contains(snapshot.Guid))
            {
                await AcknowledgeAsync(snapshot, cancellationToken).ConfigureAwait(false); // its commit was under way when its upload was dropped
                continue;
            }

            output.Note($"{snapshot.Name} of an interrupted run is not on the server: removing it");
            await SnapshotCare.RemoveAsync(snapshot).ConfigureAwait(false);
        }
    }

    private Task AcknowledgeAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        output.Note($"{snapshot.Name} of an interrupted run is on the server: noting that");
        return SnapshotCare.AcknowledgeAsync(snapshot, cancellationToken);
    }

    /// <returns>Null where it cannot go on after all; then nothing of it is left.</returns>
    private async Task<ResumedBackup?> ResumeAsync(InterruptedUpload interrupted, CancellationToken cancellationToken)
    {
        var snapshot = interrupted.Snapshot;
        output.Note($"{snapshot.Name}: the interrupted upload goes on after {ByteSize.Format(interrupted.Upload.Resume!.StreamBytes)} of its stream");
        await _care.HoldAsync(snapshot).ConfigureAwait(false);
        try
        {
            var (backup, from) = await SendOrRemoveAsync(new UploadJob(snapshot, Describe(interrupted), interrupted.Compression, Send: null), cancellationToken).ConfigureAwait(false);
            return new ResumedBackup { Snapshot = snapshot.Name.ToString(), Base = interrupted.Base?.Name.ToString(), FromBytes = from, Backup = backup };
        }
        catch (NotResumableException e)
        {
            output.Note($"{snapshot.Name} cannot go on, so the backup starts over: {e.Message}");
            return null;
        }
    }

    private async Task<(SnapshotInfo Backup, long ResumedFrom)> SendOrRemoveAsync(UploadJob job, CancellationToken cancellationToken)
    {
        (SnapshotInfo, long) sent;
        try
        {
            sent = await _upload.SendAsync(job, cancellationToken).ConfigureAwait(false);
        }
        catch (UploadInterruptedException)
        {
            throw; // snapshot and upload stay for the next run
        }
        catch (Exception e) when (e is StoredOtherwiseException or NotResumableException)
        {
            await SnapshotCare.RemoveAsync(job.Snapshot).ConfigureAwait(false); // never to be a base
            throw;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            var (known, committed) = await CommittedBackup.FindAsync(server, job.Snapshot.Guid, time).ConfigureAwait(false);
            if (!known) output.Note($"{job.Snapshot.Name} stays until the next run, which asks the server whether it has it.");
            else if (committed is null) await SnapshotCare.RemoveAsync(job.Snapshot).ConfigureAwait(false);
            else await SnapshotCare.AcknowledgeAsync(job.Snapshot, CancellationToken.None).ConfigureAwait(false);
            throw;
        }

        await SnapshotCare.AcknowledgeAsync(job.Snapshot, CancellationToken.None).ConfigureAwait(false);
        return sent;
    }

    private UploadRequest Describe(LocalSnapshot snapshot, BackupPlan plan) => new()
    {
        ClientId = settings.Server.ClientId,
        DatasetName = settings.Dataset.Value,
        SnapshotName = snapshot.Name.Leaf,
        SnapshotGuid = snapshot.Guid,
        FromGuid = plan.Base?.Guid,
        Incremental = plan.IsIncremental,
        Timestamp = snapshot.Creation,
        Compression = settings.Compression.ApiName(),
        Raw = false,
        SendFlags = plan.SendFlags,
        StorageType = settings.StorageType,
        SnapshotType = snapshot.Type,
    };

    /// <summary>What was said at first, so that the server gives the upload that is under way.</summary>
    private UploadRequest Describe(InterruptedUpload interrupted) => new()
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
