using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.Uploads.Parts;

namespace ZfsSnapshotManager.Server.Uploads.Objects;

/// <summary>Receives backups into the object store.</summary>
internal sealed class ObjectUploads(
    ObjectOpening opening,
    PartCatalogue parts,
    PartReceiver receiver,
    StreamReceiver streams,
    ObjectCompletion completion,
    ObjectRecovery recovery,
    ClientQuota quota
) : IUploadBackend
{
    public int ParallelParts => receiver.ParallelParts;

    public Task<UploadRecord> OpenAsync(
        ClientEntry client,
        UploadRecord wanted,
        IEnumerable<(string SnapshotId, string StorageKey)> names,
        CancellationToken cancellationToken
    ) => opening.RunAsync(client, wanted, names, cancellationToken);

    public bool HasContent(UploadRecord upload) => parts.HasBegin(upload.UploadId);

    public Task<UploadResume?> FindResumeAsync(UploadRecord upload, CancellationToken cancellationToken) =>
        Task.FromResult(FindResume(upload.UploadId));

    /// <summary>Parts after the first gap are from a run that is over, and are dropped.</summary>
    public Task<UploadResume?> PrepareAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        parts.RemoveFrom(upload, (parts.FindEndOfRun(upload.UploadId)?.Number ?? 0) + 1);
        return Task.FromResult(FindResume(upload.UploadId));
    }

    public async Task<SnapshotInfo> ReceiveBodyAsync(
        UploadRecord upload,
        ClientEntry client,
        Stream body,
        CancellationToken cancellationToken
    )
    {
        using var reservation = quota.Open(client, () => upload.BodySize ?? quota.FindRest(upload));
        return await streams.ReceiveAsync(
            upload,
            body,
            reservation,
            recovery.HasParts(upload) ? () => recovery.ReplacePartsAsync(upload, cancellationToken) : null,
            cancellationToken
        );
    }

    public Task<PartRecord> ReceivePartAsync(
        UploadRecord upload,
        ClientEntry client,
        PartRequest request,
        UploadSessions.Session session,
        Func<PartSlot, Stream> openBody
    ) => receiver.ReceiveAsync(upload, client, request, session, openBody);

    public Task<SnapshotInfo> CompleteAsync(UploadRecord upload, CompleteRequest request) =>
        completion.RunAsync(upload, request);

    public Task<RecoveredUpload> RecoverAsync(UploadRecord upload, CancellationToken cancellationToken) =>
        recovery.RunAsync(upload, cancellationToken);

    public Task DiscardAsync(UploadRecord upload, CancellationToken cancellationToken) =>
        recovery.RemovePartsAsync(upload, cancellationToken);

    private UploadResume? FindResume(string uploadId)
    {
        if (parts.FindEndOfRun(uploadId) is not { } last)
            return null;
        if (!ParserState.TryParse(last.EndState, out var end))
            return null;
        return new UploadResume
        {
            NextPart = last.Number + 1,
            StoredBytes = last.StoredEnd,
            StreamBytes = end.StreamOffset,
            State = $"{last.EndState};{parts.FindBeginText(uploadId)}",
        };
    }
}
