using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads.Objects;

/// <summary>
/// Finishes or rolls back what a crash interrupted: an upload whose object and manifest are complete is committed, one
/// that got less far is rolled back. An upload in parts stays as it is: its client resumes it, or completes it again.
/// </summary>
internal sealed partial class ObjectRecovery(
    BackupStore store,
    BackupCatalogue catalogue,
    UploadCatalogue uploads,
    PartCatalogue parts,
    StoreFence fence,
    TimeProvider time,
    ILogger<ObjectRecovery> logger
)
{
    /// <summary>Commits or rolls back an upload that no request is working on.</summary>
    /// <exception cref="StorageException">What is stored cannot be read or removed.</exception>
    public async Task<RecoveredUpload> RunAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        var (manifest, first) = await store.FindAsync(upload.StorageKey, cancellationToken);
        if (BackupStore.IsOfAnother(upload.UploadId, manifest, first))
        {
            LogForeign(upload.StorageKey);
            return RecoveredUpload.Unclear;
        }

        // Nothing has the name of a backup yet; or, of parts, everything is there to be completed once more.
        if (manifest is null && (first is null || parts.Find(upload.UploadId, 1) is not null))
            return Reopen(upload);
        await fence.DemandAsync(cancellationToken); // what was found may be another server's by now
        if (manifest is not null && first is not null && Commit(upload, manifest.ToSnapshotInfo(upload.SnapshotId)))
            return RecoveredUpload.Finished;
        if (catalogue.Find(upload.ClientId, upload.SnapshotId)?.StorageKey == upload.StorageKey)
            return RecoveredUpload.Committed;
        if (await RemoveStoredAsync(upload, replaced: null, cancellationToken) == upload)
            LogRolledBack(upload.SnapshotId);
        return Reopen(upload);
    }

    /// <summary>Whether parts of an upload were stored.</summary>
    public bool HasParts(UploadRecord upload) => parts.Objects(upload.UploadId).Count > 0;

    /// <summary>Removes the parts of an upload that is sent in one body instead.</summary>
    /// <returns>The upload, which may have got another key.</returns>
    public Task<UploadRecord> ReplacePartsAsync(UploadRecord upload, CancellationToken cancellationToken) =>
        RemovePartsAsync(
            upload,
            UploadEvents.Ended(ServerEvents.UploadReplaced, upload, time.GetUtcNow()),
            cancellationToken
        );

    /// <summary>Removes what is stored of an upload, which then starts from its beginning.</summary>
    /// <returns>The upload, which may have got another key.</returns>
    public Task<UploadRecord> RemovePartsAsync(UploadRecord upload, CancellationToken cancellationToken) =>
        RemovePartsAsync(upload, replaced: null, cancellationToken);

    private async Task<UploadRecord> RemovePartsAsync(
        UploadRecord upload,
        ServerEvent? replaced,
        CancellationToken cancellationToken
    )
    {
        var objects = parts.Objects(upload.UploadId);
        if (objects.Count == 0 && upload.State == UploadState.Receiving)
            return upload;
        await fence.DemandAsync(cancellationToken);
        foreach (var (index, token) in objects)
            await store.Objects.AbandonAsync(StoredObject.KeyOf(upload.StorageKey, index), token, cancellationToken);
        var (manifest, first) = await store.FindAsync(upload.StorageKey, cancellationToken);
        if (BackupStore.IsOfAnother(upload.UploadId, manifest, first))
        {
            LogForeign(upload.StorageKey);
            parts.Clear(upload, replaced); // its own objects are removed
            return upload;
        }

        // Objects that were complete when the commit was interrupted.
        return await RemoveStoredAsync(upload, replaced, cancellationToken);
    }

    /// <summary>
    /// Removes the objects under an upload's key. Those under a retention stay until it ends, and the upload gets
    /// another key: otherwise this snapshot could not be backed up until then, nor its base be rotated.
    /// </summary>
    private async Task<UploadRecord> RemoveStoredAsync(
        UploadRecord upload,
        ServerEvent? replaced,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await store.DeleteAsync(upload.StorageKey, cancellationToken);
            parts.Clear(upload, replaced); // their objects are deleted
            return upload;
        }
        catch (StorageException e) when (e.Fault == StorageFault.Locked)
        {
            var size = await store.MeasureAsync(upload.StorageKey, cancellationToken);
            foreach (var (id, key) in StorageKey.CandidatesAfter(upload.StorageKey))
            {
                if (
                    await store.ExistsAsync(key, cancellationToken)
                    || uploads.TryMove(upload, id, key, size, replaced) is not { } moved
                )
                    continue;
                LogMoved(upload.StorageKey, key, e.Message);
                return moved;
            }

            throw new InvalidOperationException("The candidates for a key ended.", e);
        }
    }

    private bool Commit(UploadRecord upload, SnapshotInfo backup) =>
        catalogue.Commit(upload, backup, UploadEvents.Committed(upload, backup, time.GetUtcNow()));

    private RecoveredUpload Reopen(UploadRecord upload)
    {
        uploads.SetState(upload, UploadState.Receiving);
        return RecoveredUpload.Open;
    }

    [LoggerMessage(
        LogLevel.Warning,
        "Removed the object of {SnapshotId}, whose commit was interrupted before its manifest was written; its client "
            + "sends it again"
    )]
    private partial void LogRolledBack(string snapshotId);

    [LoggerMessage(
        LogLevel.Warning,
        "What is stored of {StorageKey}, whose commit was interrupted, is deleted when its retention ends; its client "
            + "sends it again as {NewKey}. {Reason}"
    )]
    private partial void LogMoved(string storageKey, string newKey, string reason);

    [LoggerMessage(
        LogLevel.Error,
        "Left {StorageKey} as it is: its upload was interrupted, and what is stored there belongs to another upload"
    )]
    private partial void LogForeign(string storageKey);
}
