using System.Text.Json;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Clears up after a crash: an upload whose object and manifest are whole is committed, one that got less far is rolled back.</summary>
internal sealed partial class UploadRecovery(
    DirectoryStore store, BackupCatalogue catalogue, UploadCatalogue uploads, UploadSessions sessions, TimeProvider time, ILogger<UploadRecovery> logger)
{
    /// <summary>An upload that nobody touched for so long is forgotten.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromHours(24);

    /// <summary>At start, before any request is taken.</summary>
    public void RecoverAfterStart()
    {
        var halves = store.DeleteIncoming();
        if (halves > 0) LogHalves(halves);
        foreach (var upload in uploads.All()) Recover(upload);
    }

    /// <summary>While requests are taken.</summary>
    public void ForgetStale()
    {
        foreach (var upload in uploads.UntouchedSince(time.GetUtcNow() - Patience).Where(u => !sessions.IsActive(u.UploadId)))
        {
            if (Recover(upload) != RecoveredUpload.Open) continue;
            uploads.Remove(upload.UploadId);
            LogForgotten(upload.UploadId, upload.ClientId, upload.DatasetName.Value);
        }
    }

    /// <summary>Settles an upload that nobody works on.</summary>
    public RecoveredUpload Recover(UploadRecord upload)
    {
        try
        {
            var manifest = store.ReadManifest(upload.StorageKey);
            if (manifest is not null && manifest.UploadId != upload.UploadId) return RecoveredUpload.Unclear; // another one's: not ours to touch
            if (manifest is null && !store.Exists(upload.StorageKey)) return RecoveredUpload.Open;
            if (manifest is not null && store.Exists(upload.StorageKey) && catalogue.Commit(upload.ClientId, upload.UploadId, manifest.ToSnapshotInfo(upload.SnapshotId)))
            {
                LogFinished(upload.SnapshotId);
                return RecoveredUpload.Committed;
            }

            store.Delete(upload.StorageKey);
            LogRolledBack(upload.SnapshotId);
            return RecoveredUpload.Open;
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            LogUnclear(e, upload.StorageKey);
            return RecoveredUpload.Unclear;
        }
    }

    [LoggerMessage(LogLevel.Warning, "Removed {Count} half-received streams of a time before this start; their clients send them again")]
    private partial void LogHalves(int count);

    [LoggerMessage(LogLevel.Warning, "Committed {SnapshotId}, whose commit was cut off")]
    private partial void LogFinished(string snapshotId);

    [LoggerMessage(LogLevel.Warning, "Removed the object of {SnapshotId}, whose commit was cut off before its manifest was written; its client sends it again")]
    private partial void LogRolledBack(string snapshotId);

    [LoggerMessage(LogLevel.Information, "Forgot upload {UploadId} of {ClientId} for {Dataset}: nobody came back for it")]
    private partial void LogForgotten(string uploadId, string clientId, string dataset);

    [LoggerMessage(LogLevel.Error, "Left {StorageKey} as it is: its upload was cut off, and what is there cannot be read")]
    private partial void LogUnclear(Exception e, string storageKey);
}

internal enum RecoveredUpload
{
    /// <summary>Nothing of it is in the store; its stream may be sent.</summary>
    Open,

    /// <summary>Its commit was finished.</summary>
    Committed,

    /// <summary>What is there cannot be read or removed.</summary>
    Unclear,
}
