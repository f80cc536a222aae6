using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Finishes or rolls back uploads that were interrupted, and ends those that are dropped.</summary>
internal sealed partial class UploadRecovery(
    UploadBackends backends,
    UploadCatalogue uploads,
    TimeProvider time,
    ILogger<UploadRecovery> logger
)
{
    /// <summary>
    /// Finishes what the state of an upload announces, or rolls it back. The caller has taken it over and holds it
    /// alone.
    /// </summary>
    /// <exception cref="OperationException">What is stored cannot be read or removed.</exception>
    public async Task<RecoveredUpload> RecoverAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        switch (upload.State)
        {
            case UploadState.Receiving:
                return RecoveredUpload.Open;
            case UploadState.Abandoned:
                await RemoveAsync(upload, cancellationToken);
                return RecoveredUpload.Dropped;
            default:
                return await backends.Of(upload).RecoverAsync(upload, cancellationToken);
        }
    }

    /// <inheritdoc cref="IUploadBackend.HasContent"/>
    public bool HasContent(UploadRecord upload) => backends.Of(upload).HasContent(upload);

    /// <summary>
    /// Takes an upload over, which the caller holds alone, and recovers it in the background: a failure is logged, and
    /// the upload is left for the next attempt.
    /// </summary>
    /// <exception cref="StorageException">The store does not answer: it would not for other uploads either.</exception>
    public async Task<RecoveredUpload> TryRecoverAsync(UploadRecord known, CancellationToken cancellationToken)
    {
        try
        {
            if (uploads.TakeOver(known.ClientId, known.UploadId, touched: false) is not { } upload)
                return RecoveredUpload.Dropped;
            return await RecoverAsync(upload, cancellationToken);
        }
        // One that cannot be recovered, whatever the reason, must not keep the others from it.
        catch (Exception e)
            when (e is not (OutOfMemoryException or StorageException { Fault: StorageFault.Unavailable })
                && !cancellationToken.IsCancellationRequested
            )
        {
            LogUnclear(e, known.StorageKey);
            return RecoveredUpload.Unclear;
        }
    }

    /// <summary>Ends an upload that was recovered and is not committed, with everything that is stored of it.</summary>
    /// <returns>False if some of it cannot be removed now: it is removed later, and no request finds it until
    /// then.</returns>
    public async Task<bool> DropAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        // Before anything is removed. An upload that a client drops before it sent anything is no event.
        var isEvent = upload.RequestAddress is null || HasContent(upload);
        var dropped = isEvent ? UploadEvents.Ended(ServerEvents.UploadDropped, upload, time.GetUtcNow()) : null;
        if (!uploads.Abandon(upload, dropped))
            throw StreamAdmission.Dropped();
        try
        {
            await RemoveAsync(upload, cancellationToken);
            return true;
        }
        catch (OperationException e) // of the store, or of ZFS
        {
            LogLater(e, upload.StorageKey);
            return false;
        }
    }

    private async Task RemoveAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        await backends.Of(upload).DiscardAsync(upload, cancellationToken);
        uploads.Remove(upload);
    }

    [LoggerMessage(
        LogLevel.Warning,
        "{StorageKey} was dropped, but what is stored of it cannot be removed now; this is tried again every hour"
    )]
    private partial void LogLater(Exception e, string storageKey);

    [LoggerMessage(
        LogLevel.Error,
        "Left {StorageKey} as it is: its upload was interrupted, and what is stored there cannot be read or removed now"
    )]
    private partial void LogUnclear(Exception e, string storageKey);
}
