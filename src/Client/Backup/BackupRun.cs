using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// One backup of one dataset: snapshot, send, and a bookmark once the server has committed. If it fails, the snapshot goes again; if it is
/// killed, the next run finds the snapshot by its mark.
/// </summary>
internal sealed class BackupRun(ClientSettings settings, ApiClient server, Output output, TimeProvider time)
{
    public async Task<BackupResult> RunAsync(BackupMode mode, bool dryRun, CancellationToken cancellationToken)
    {
        using var _ = DatasetLock.Take(settings.Dataset);
        var remote = await server.GetSnapshotsAsync(cancellationToken).ConfigureAwait(false);
        var local = await ZfsDataset.ListSnapshotsAsync(settings.Dataset, cancellationToken).ConfigureAwait(false);
        if (!dryRun) local = await SettleLeftoversAsync(local, remote, cancellationToken).ConfigureAwait(false);

        var plan = BackupPlan.Make(mode, settings.Dataset, local, remote);
        output.Note($"{settings.Dataset}: {(plan.IsIncremental ? "incremental" : "full")} backup: {plan.Reason}");
        var name = SnapshotNaming.Choose(settings.Dataset, settings.SnapshotPrefix, time.GetUtcNow(), local.Select(s => s.Name));
        if (dryRun) return BackupResult.Planned(name, plan);

        var snapshot = await ZfsDataset.CreateSnapshotAsync(name, cancellationToken).ConfigureAwait(false);
        var backup = await SendOrRemoveAsync(snapshot, plan, cancellationToken).ConfigureAwait(false);
        await AcknowledgeAsync(snapshot, CancellationToken.None).ConfigureAwait(false);
        return BackupResult.Done(backup, plan);
    }

    /// <summary>What an earlier run left: a snapshot that the server has after all gets its bookmark; one that it has not goes.</summary>
    private async Task<IReadOnlyList<LocalSnapshot>> SettleLeftoversAsync(IReadOnlyList<LocalSnapshot> local, IReadOnlyList<SnapshotInfo> remote, CancellationToken cancellationToken)
    {
        var committed = remote.Select(b => b.SnapshotGuid).ToHashSet();
        var leftovers = local.Where(s => s.Upload == UploadMark.Pending).ToList();
        foreach (var snapshot in leftovers)
        {
            if (committed.Contains(snapshot.Guid))
            {
                output.Note($"{snapshot.Name} of an interrupted run is on the server: noting that");
                await AcknowledgeAsync(snapshot, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                output.Note($"{snapshot.Name} of an interrupted run is not on the server: removing it");
                await RemoveAsync(snapshot).ConfigureAwait(false);
            }
        }

        return leftovers.Count == 0 ? local : await ZfsDataset.ListSnapshotsAsync(settings.Dataset, cancellationToken).ConfigureAwait(false);
    }

    private async Task<SnapshotInfo> SendOrRemoveAsync(LocalSnapshot snapshot, BackupPlan plan, CancellationToken cancellationToken)
    {
        try
        {
            return await SendAsync(snapshot, plan, cancellationToken).ConfigureAwait(false);
        }
        catch (StoredOtherwiseException)
        {
            await RemoveAsync(snapshot).ConfigureAwait(false); // never to be a base
            throw;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            var (known, committed) = await AskForCommitAsync(snapshot).ConfigureAwait(false);
            if (!known) output.Note($"{snapshot.Name} stays until the next run, which asks the server whether it has it.");
            else if (committed is null) await RemoveAsync(snapshot).ConfigureAwait(false);
            else await AcknowledgeAsync(snapshot, CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    private async Task<SnapshotInfo> SendAsync(LocalSnapshot snapshot, BackupPlan plan, CancellationToken cancellationToken)
    {
        var send = new ZfsSend(snapshot.Name, plan.Base?.Name, plan.SendFlags);
        var estimate = await send.EstimateAsync(cancellationToken).ConfigureAwait(false);
        var upload = await server.RequestUploadAsync(DescribeUpload(snapshot, plan, estimate), cancellationToken).ConfigureAwait(false);
        return await TransferProgress.RunAsync(snapshot.Name.ToString(), estimate, output, async progress =>
        {
            using var stream = new BackupStream(send, settings.Compression, progress.Add);
            var backup = await UploadAsync(upload, snapshot, stream, cancellationToken).ConfigureAwait(false);
            return CheckStored(backup, snapshot, stream);
        }).ConfigureAwait(false);
    }

    private async Task<SnapshotInfo?> UploadAsync(UploadAnswer upload, LocalSnapshot snapshot, BackupStream stream, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await server.UploadStreamAsync(upload, stream, cancellationToken).ConfigureAwait(false);
            return answer.Snapshot;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            var reason = await AbortAsync(upload).ConfigureAwait(false);
            if (e is not OperationException { ExitCode: ExitCode.Unreachable }) throw;
            if (reason is not null) throw reason;

            // The connection may have broken after the commit: then the backup is there, and only its answer was lost.
            var (_, committed) = await AskForCommitAsync(snapshot).ConfigureAwait(false);
            if (committed is null) throw;
            return committed;
        }
    }

    private UploadRequest DescribeUpload(LocalSnapshot snapshot, BackupPlan plan, long? estimate) => new()
    {
        ClientId = settings.Server.ClientId,
        DatasetName = settings.Dataset.Value,
        SnapshotName = snapshot.Name.Leaf,
        SnapshotGuid = snapshot.Guid,
        FromGuid = plan.Base?.Guid,
        Incremental = plan.IsIncremental,
        Timestamp = snapshot.Creation,
        EstimatedSize = estimate,
        Compression = settings.Compression.ApiName(),
        Raw = false,
        SendFlags = plan.SendFlags,
        StorageType = settings.StorageType,
    };

    /// <summary>"ok" is believed only if the server stored the very bytes that were sent.</summary>
    private static SnapshotInfo CheckStored(SnapshotInfo? backup, LocalSnapshot snapshot, BackupStream stream) =>
        backup is not null && backup.Sha256 == stream.Sha256 && backup.SnapshotGuid == snapshot.Guid && backup.StreamBytes == stream.Facts?.Length
            ? backup
            : throw new StoredOtherwiseException();

    /// <summary>Drops the upload on the server, and learns why the server broke it off, if it did: a refusal in mid-stream shows here only as a broken connection.</summary>
    private async Task<OperationException?> AbortAsync(UploadAnswer upload)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(15), time);
        try
        {
            var state = await server.GetUploadAsync(upload.UploadId, patience.Token).ConfigureAwait(false);
            await server.AbortUploadAsync(upload.UploadId, patience.Token).ConfigureAwait(false);
            return state.LastError is { } error and not { Code: "upload_broken_off" } ? ApiClient.ToException((System.Net.HttpStatusCode)error.Status, error) : null;
        }
        catch (Exception e) when (e is OperationException or OperationCanceledException)
        {
            return null; // the upload is gone, or the server is: it forgets the upload by itself
        }
    }

    /// <returns>Whether the server could be asked, and the backup if it has it.</returns>
    private async Task<(bool Known, SnapshotInfo? Backup)> AskForCommitAsync(LocalSnapshot snapshot)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(15), time);
        try
        {
            var backups = await server.GetSnapshotsAsync(patience.Token).ConfigureAwait(false);
            return (true, backups.FirstOrDefault(b => b.SnapshotGuid == snapshot.Guid));
        }
        catch (Exception e) when (e is OperationException or OperationCanceledException)
        {
            return (false, null);
        }
    }

    private static async Task RemoveAsync(LocalSnapshot snapshot)
    {
        try
        {
            await ZfsDataset.DestroySnapshotAsync(snapshot.Name, CancellationToken.None).ConfigureAwait(false);
        }
        catch (OperationException e)
        {
            Output.Warn($"{snapshot.Name} could not be removed; the next run tries again. {e.Message}. {e.Remedy}");
        }
    }

    private static async Task AcknowledgeAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        var existing = await ZfsDataset.ListSnapshotsAsync(snapshot.Name.Dataset, cancellationToken).ConfigureAwait(false);
        if (!existing.Any(s => s.Name.IsBookmark && s.Guid == snapshot.Guid)) await ZfsDataset.CreateBookmarkAsync(snapshot.Name, cancellationToken).ConfigureAwait(false);
        await ZfsDataset.MarkAsync(snapshot.Name, UploadMark.Committed, cancellationToken).ConfigureAwait(false);
    }

    private sealed class StoredOtherwiseException()
        : OperationException(ExitCode.ServerFailed, "The server says that it stored something else than was sent.", "Check the server's version and its log. The next backup does not build on this one.");
}
