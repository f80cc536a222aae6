using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.Uploads.Parts;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>Receives backups into ZFS.</summary>
internal sealed class ZfsUploads(
    UploadCatalogue uploads,
    PartCatalogue parts,
    ClientDatasets datasets,
    ClientQuota quota,
    ZfsStreams streams,
    ZfsPartReceiver receiver,
    ZfsCommit commit
) : IUploadBackend
{
    /// <summary>One is written while the next one is read.</summary>
    public int ParallelParts => Math.Min(receiver.ParallelParts, 2);

    /// <summary>The snapshot's name in ZFS is chosen when its stream begins.</summary>
    public async Task<UploadRecord> OpenAsync(
        ClientEntry client,
        UploadRecord wanted,
        IEnumerable<(string SnapshotId, string StorageKey)> names,
        CancellationToken cancellationToken
    )
    {
        if (!datasets.IsOffered(client))
            throw new RequestException(
                StatusCodes.Status501NotImplemented,
                "storage_type_unavailable",
                "This server has no local ZFS storage for this client.",
                "Use STORAGE_TYPE=s3: the server's object store."
            );
        var parent = await datasets.EnsureAsync(client, cancellationToken);
        await quota.CheckAsync(client, wanted);
        foreach (var (id, _) in names)
        {
            if (!uploads.IsUnused(id))
                continue;
            if (uploads.Open(wanted with { SnapshotId = id, ZfsDataset = parent.Value }) is { } opened)
                return opened;
        }

        throw new InvalidOperationException("The candidates for a snapshot id ended.");
    }

    public bool HasContent(UploadRecord upload) => parts.HasBegin(upload.UploadId) || upload.ZfsSnapshot is not null;

    public Task<UploadResume?> FindResumeAsync(UploadRecord upload, CancellationToken cancellationToken) =>
        streams.FindResumeAsync(upload, cancellationToken);

    public Task<UploadResume?> PrepareAsync(UploadRecord upload, CancellationToken cancellationToken) =>
        streams.PrepareAsync(upload, cancellationToken);

    public Task<SnapshotInfo> ReceiveBodyAsync(
        UploadRecord upload,
        ClientEntry client,
        Stream body,
        CancellationToken cancellationToken
    ) => streams.ReceiveAsync(upload, client, body, cancellationToken);

    public Task<PartRecord> ReceivePartAsync(
        UploadRecord upload,
        ClientEntry client,
        PartRequest request,
        UploadSessions.Session session,
        Func<PartSlot, Stream> openBody
    ) => receiver.ReceiveAsync(upload, client, request, session, openBody);

    public Task<SnapshotInfo> CompleteAsync(UploadRecord upload, CompleteRequest request) =>
        streams.CompleteAsync(upload, request);

    public Task<RecoveredUpload> RecoverAsync(UploadRecord upload, CancellationToken cancellationToken) =>
        commit.RecoverAsync(upload, cancellationToken);

    public Task DiscardAsync(UploadRecord upload, CancellationToken cancellationToken) => streams.DiscardAsync(upload);
}
