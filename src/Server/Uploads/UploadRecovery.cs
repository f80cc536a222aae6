using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Uploads.Zfs;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Finishes or rolls back what a crash interrupted: an upload whose object and manifest are complete is committed, one
/// that got less far is rolled back. An upload in parts stays as it is: its client resumes it, or completes it again.
/// </summary>
internal sealed partial class UploadRecovery(
    BackupStore store,
    BackupCatalogue catalogue,
    UploadCatalogue uploads,
    PartCatalogue parts,
    ZfsUploads zfs,
    ZfsCommit zfsCommit,
    AuditLog audit,
    ILogger<UploadRecovery> logger
)
{
    /// <summary>Commits or rolls back an upload that no request is working on.</summary>
    /// <exception cref="StorageException">What is stored cannot be read or removed.</exception>
    public async Task<RecoveredUpload> RecoverAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        if (upload.IsLocal)
            return await RecoverLocalAsync(upload, cancellationToken);
        var manifest = await store.ReadManifestAsync(upload.StorageKey, cancellationToken);
        var first = await store.Objects.FindAsync(upload.StorageKey, cancellationToken);
        if (
            (manifest is not null && manifest.UploadId != upload.UploadId)
            || (first?.UploadId is { } writer && writer != upload.UploadId)
        )
        {
            LogForeign(upload.StorageKey);
            return RecoveredUpload.Unclear;
        }

        if (manifest is null && (first is null || parts.HasBegin(upload.UploadId)))
            return RecoveredUpload.Open;
        if (
            manifest is not null
            && first is not null
            && catalogue.Commit(upload.ClientId, upload.UploadId, manifest.ToSnapshotInfo(upload.SnapshotId))
        )
        {
            NoteFinished(upload);
            return RecoveredUpload.Committed;
        }

        if (catalogue.Find(upload.ClientId, upload.SnapshotId)?.StorageKey == upload.StorageKey)
            return RecoveredUpload.Committed;
        await store.DeleteAsync(upload.StorageKey, cancellationToken);
        parts.Clear(upload.UploadId); // their objects are deleted
        LogRolledBack(upload.SnapshotId);
        return RecoveredUpload.Open;
    }

    /// <summary>
    /// Recovers an upload in the background: a failure is logged, and the upload is left for the next attempt.
    /// </summary>
    public async Task<RecoveredUpload> TryRecoverAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        try
        {
            return await RecoverAsync(upload, cancellationToken);
        }
        catch (OperationException e) // of the store, or of ZFS
        {
            LogUnclear(e, upload.StorageKey);
            return RecoveredUpload.Unclear;
        }
    }

    /// <summary>Ends an upload that was recovered and is not committed, with everything that is stored of it.</summary>
    /// <exception cref="StorageException">It cannot be removed now; the upload stays.</exception>
    public async Task DropAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        if (upload.IsLocal)
            await zfs.DiscardAsync(upload);
        else
            await RemovePartsAsync(upload, cancellationToken);
        uploads.Remove(upload.UploadId);
    }

    /// <summary>Drops an upload in the background: a failure is logged, and the upload stays.</summary>
    /// <returns>False if it stays.</returns>
    public async Task<bool> TryDropAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        try
        {
            await DropAsync(upload, cancellationToken);
            return true;
        }
        catch (OperationException e)
        {
            LogUnclear(e, upload.StorageKey);
            return false;
        }
    }

    /// <summary>Removes what is stored of an upload, which then starts from its beginning.</summary>
    public async Task RemovePartsAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        var objects = parts.Objects(upload.UploadId);
        if (objects.Count == 0)
            return;
        foreach (var (index, token) in objects)
            await store.Objects.AbandonAsync(StoredObject.KeyOf(upload.StorageKey, index), token, cancellationToken);
        // Objects that were complete when the commit was interrupted.
        await store.DeleteAsync(upload.StorageKey, cancellationToken);
        parts.Clear(upload.UploadId);
    }

    private async Task<RecoveredUpload> RecoverLocalAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        var recovered = await zfsCommit.RecoverAsync(upload, cancellationToken);
        if (recovered == RecoveredUpload.Committed)
            NoteFinished(upload);
        return recovered;
    }

    private void NoteFinished(UploadRecord upload)
    {
        LogFinished(upload.SnapshotId);
        audit.Write(
            new AuditEvent
            {
                Event = AuditEvents.BackupCommitted,
                Actor = AuditActor.Server,
                ClientId = upload.ClientId,
                SnapshotId = upload.SnapshotId,
            }
        );
    }

    [LoggerMessage(LogLevel.Warning, "Committed {SnapshotId}, whose commit was interrupted")]
    private partial void LogFinished(string snapshotId);

    [LoggerMessage(
        LogLevel.Warning,
        "Removed the object of {SnapshotId}, whose commit was interrupted before its manifest was written; its client "
            + "sends it again"
    )]
    private partial void LogRolledBack(string snapshotId);

    [LoggerMessage(
        LogLevel.Error,
        "Left {StorageKey} as it is: its upload was interrupted, and what is stored there belongs to another upload"
    )]
    private partial void LogForeign(string storageKey);

    [LoggerMessage(
        LogLevel.Error,
        "Left {StorageKey} as it is: its upload was interrupted, and what is stored there cannot be read or removed now"
    )]
    private partial void LogUnclear(Exception e, string storageKey);
}
