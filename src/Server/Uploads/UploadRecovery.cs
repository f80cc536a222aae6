using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Uploads.Zfs;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Clears up after a crash: an upload whose object and manifest are whole is committed, one that got less far is rolled
/// back. One that came in parts stays as it is: its client goes on with it, or completes it again.
/// </summary>
internal sealed partial class UploadRecovery(
    BackupStore store,
    BackupCatalogue catalogue,
    UploadCatalogue uploads,
    PartCatalogue parts,
    UploadSessions sessions,
    LocalUploads local,
    LocalCommit localCommit,
    ServerSettings settings,
    AuditLog audit,
    TimeProvider time,
    ILogger<UploadRecovery> logger
)
{
    /// <summary>An upload without parts that nobody touched for so long is forgotten: nothing is lost by it.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromHours(24);

    /// <summary>At start, before any request is taken.</summary>
    public async Task RecoverAfterStartAsync(CancellationToken cancellationToken)
    {
        var halves = await store.Objects.RemoveIncompleteAsync(
            DateTimeOffset.MaxValue,
            parts.AllTokens(),
            cancellationToken
        );
        if (halves > 0)
            LogHalves(halves);
        foreach (var upload in uploads.All())
            await TryRecoverAsync(upload, cancellationToken);
        await ForgetStaleAsync(cancellationToken);
    }

    /// <summary>At the start and every hour.</summary>
    public async Task ForgetStaleAsync(CancellationToken cancellationToken)
    {
        var (now, longAgo) = (time.GetUtcNow(), time.GetUtcNow() - Patience);
        foreach (var stale in uploads.UntouchedSince(longAgo))
        {
            // Those before it may have taken long: its client may be back, or have ended it.
            using var session = sessions.TryTake(stale.UploadId);
            if (
                session is null
                || uploads.Find(stale.ClientId, stale.UploadId) is not { } upload
                || upload.TouchedAt >= longAgo
            )
                continue;
            if (HasParts(upload) && upload.TouchedAt > now - settings.UploadExpiry)
                continue;
            if (await TryRecoverAsync(upload, cancellationToken) != RecoveredUpload.Open)
                continue;
            if (!await TryDropAsync(upload, cancellationToken))
                continue;
            LogForgotten(upload.UploadId, upload.ClientId, upload.DatasetName.Value);
        }

        var halves = await store.Objects.RemoveIncompleteAsync(longAgo, parts.AllTokens(), cancellationToken);
        if (halves > 0)
            LogHalves(halves);
    }

    /// <summary>Settles an upload that nobody works on.</summary>
    /// <exception cref="StorageException">What is there cannot be read or removed.</exception>
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

        if (manifest is null && (first is null || parts.FindBegin(upload.UploadId) is not null))
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
        parts.Clear(upload.UploadId); // their objects are gone
        LogRolledBack(upload.SnapshotId);
        return RecoveredUpload.Open;
    }

    private bool HasParts(UploadRecord upload) =>
        parts.FindBegin(upload.UploadId) is not null || (upload.IsLocal && LocalTarget.Of(upload) is not null);

    private async Task<RecoveredUpload> RecoverLocalAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        var recovered = await localCommit.RecoverAsync(upload, cancellationToken);
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

    /// <summary>Ends an upload that was settled and is not committed, with all that is stored of it.</summary>
    /// <exception cref="StorageException">It cannot be removed now; the upload stays.</exception>
    public async Task DropAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        if (upload.IsLocal)
            await local.DiscardAsync(upload);
        else
            await RemovePartsAsync(upload, cancellationToken);
        uploads.Remove(upload.UploadId);
    }

    /// <summary>Removes what is stored of an upload, which then starts again.</summary>
    public async Task RemovePartsAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        var objects = parts.Objects(upload.UploadId);
        if (objects.Count == 0)
            return;
        foreach (var (index, token) in objects)
            await store.Objects.AbandonAsync(StoredObject.KeyOf(upload.StorageKey, index), token, cancellationToken);
        // Objects that were complete when their commit was cut off.
        await store.DeleteAsync(upload.StorageKey, cancellationToken);
        parts.Clear(upload.UploadId);
    }

    /// <summary>Likewise where nobody waits for it: what cannot be settled now is left for the next time.</summary>
    private async Task<RecoveredUpload> TryRecoverAsync(UploadRecord upload, CancellationToken cancellationToken)
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

    private async Task<bool> TryDropAsync(UploadRecord upload, CancellationToken cancellationToken)
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

    [LoggerMessage(
        LogLevel.Warning,
        "Removed {Count} half-received streams of a time before this start; their clients send them again"
    )]
    private partial void LogHalves(int count);

    [LoggerMessage(LogLevel.Warning, "Committed {SnapshotId}, whose commit was cut off")]
    private partial void LogFinished(string snapshotId);

    [LoggerMessage(
        LogLevel.Warning,
        "Removed the object of {SnapshotId}, whose commit was cut off before its manifest was written; its client "
            + "sends it again"
    )]
    private partial void LogRolledBack(string snapshotId);

    [LoggerMessage(
        LogLevel.Information,
        "Forgot upload {UploadId} of {ClientId} for {Dataset}: nobody came back for it"
    )]
    private partial void LogForgotten(string uploadId, string clientId, string dataset);

    [LoggerMessage(
        LogLevel.Error,
        "Left {StorageKey} as it is: its upload was cut off, and what is there belongs to another upload"
    )]
    private partial void LogForeign(string storageKey);

    [LoggerMessage(
        LogLevel.Error,
        "Left {StorageKey} as it is: its upload was cut off, and what is there cannot be read or removed now"
    )]
    private partial void LogUnclear(Exception e, string storageKey);
}

internal enum RecoveredUpload
{
    /// <summary>Nothing of it is in the store; its stream may be sent.</summary>
    Open,

    /// <summary>Its commit was finished.</summary>
    Committed,

    /// <summary>What is there is another upload's, or cannot be read or removed.</summary>
    Unclear,
}
