using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Finishes or rolls back uploads that were interrupted, and ends those that are dropped.</summary>
internal sealed partial class UploadRecovery(
    UploadBackends backends,
    UploadCatalogue uploads,
    TimeProvider time,
    ILogger<UploadRecovery> logger
)
{
    /// <summary>Commits or rolls back an upload that no request is working on.</summary>
    /// <exception cref="OperationException">What is stored cannot be read or removed.</exception>
    public Task<RecoveredUpload> RecoverAsync(UploadRecord upload, CancellationToken cancellationToken) =>
        backends.Of(upload).RecoverAsync(upload, cancellationToken);

    /// <inheritdoc cref="IUploadBackend.HasContent"/>
    public bool HasContent(UploadRecord upload) => backends.Of(upload).HasContent(upload);

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
    /// <exception cref="OperationException">It cannot be removed now; the upload stays.</exception>
    public async Task DropAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        // Before anything is removed. An upload that a client drops before it sent anything is no event.
        var isEvent = upload.RequestAddress is null || HasContent(upload);
        await backends.Of(upload).DiscardAsync(upload, cancellationToken);
        uploads.Remove(
            upload.UploadId,
            isEvent ? UploadEvents.Ended(ServerEvents.UploadDropped, upload, time.GetUtcNow()) : null
        );
    }

    /// <summary>Drops an upload in the background: a failure is logged, and the upload stays.</summary>
    public async Task TryDropAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        try
        {
            await DropAsync(upload, cancellationToken);
        }
        catch (OperationException e)
        {
            LogUnclear(e, upload.StorageKey);
        }
    }

    [LoggerMessage(
        LogLevel.Error,
        "Left {StorageKey} as it is: its upload was interrupted, and what is stored there cannot be read or removed now"
    )]
    private partial void LogUnclear(Exception e, string storageKey);
}
