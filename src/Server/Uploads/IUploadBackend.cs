using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Uploads.Parts;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>One way of receiving backups. What becomes of them is kept by <c>IBackupBackend</c>.</summary>
internal interface IUploadBackend
{
    /// <summary>Parts of one upload that are received at once.</summary>
    int ParallelParts { get; }

    /// <summary>Reserves what the upload will be stored as, if its client may store any more.</summary>
    /// <param name="wanted">What was announced, without id and key.</param>
    /// <param name="names">Candidates for its id and key; they do not end.</param>
    /// <exception cref="RequestException">The client has no space, or the server has no such storage for
    /// it.</exception>
    Task<UploadRecord> OpenAsync(
        ClientEntry client,
        UploadRecord wanted,
        IEnumerable<(string SnapshotId, string StorageKey)> names,
        CancellationToken cancellationToken
    );

    /// <summary>Whether something is stored of an upload, which would be sent again if it were dropped.</summary>
    bool HasContent(UploadRecord upload);

    /// <summary>Finds out where an upload resumes, without changing it.</summary>
    /// <returns>Null if nothing of it is kept.</returns>
    Task<UploadResume?> FindResumeAsync(UploadRecord upload, CancellationToken cancellationToken);

    /// <summary>Prepares an upload, which the caller holds alone, to be resumed.</summary>
    /// <returns>Where it resumes; null if nothing of it is kept.</returns>
    Task<UploadResume?> PrepareAsync(UploadRecord upload, CancellationToken cancellationToken);

    /// <summary>Receives the whole stream in one body, and commits it.</summary>
    /// <exception cref="RequestException">The stream is refused.</exception>
    Task<SnapshotInfo> ReceiveBodyAsync(
        UploadRecord upload,
        ClientEntry client,
        Stream body,
        CancellationToken cancellationToken
    );

    /// <param name="openBody">Opens the body, once the part has a slot.</param>
    /// <exception cref="RequestException">The part is refused; nothing of it was kept.</exception>
    Task<PartRecord> ReceivePartAsync(
        UploadRecord upload,
        ClientEntry client,
        PartRequest request,
        UploadSessions.Session session,
        Func<PartSlot, Stream> openBody
    );

    /// <summary>Makes a backup of the parts that were received.</summary>
    /// <exception cref="RequestException">The parts are not one complete stream, or it may no longer be
    /// stored.</exception>
    Task<SnapshotInfo> CompleteAsync(UploadRecord upload, CompleteRequest request);

    /// <summary>Finishes or rolls back what was interrupted of an upload, which the caller holds alone.</summary>
    /// <exception cref="Core.OperationException">What is stored cannot be read or removed now.</exception>
    Task<RecoveredUpload> RecoverAsync(UploadRecord upload, CancellationToken cancellationToken);

    /// <summary>Removes what is stored of an upload that is not committed.</summary>
    /// <exception cref="Core.OperationException">It cannot be removed now.</exception>
    Task DiscardAsync(UploadRecord upload, CancellationToken cancellationToken);
}
