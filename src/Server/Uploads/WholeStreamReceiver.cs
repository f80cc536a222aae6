using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.Uploads.Zfs;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Receives a whole stream in one body, into the object store or into ZFS.</summary>
internal sealed class WholeStreamReceiver(
    UploadCatalogue uploads,
    UploadRecovery recovery,
    UploadSlots slots,
    StreamReceiver objects,
    ZfsUploads zfs,
    ClientQuota quota
)
{
    /// <param name="openBody">Opens the body, once the upload has a slot.</param>
    /// <exception cref="RequestException">The stream is refused; nothing of it was kept.</exception>
    public async Task<SnapshotInfo> ReceiveAsync(
        UploadRecord upload,
        ClientEntry client,
        Func<Stream> openBody,
        CancellationToken cancellationToken
    )
    {
        uploads.Touch(upload.UploadId, error: null);
        if (!upload.IsLocal)
            await recovery.RemovePartsAsync(upload, cancellationToken);
        using var slot = await slots.AcquireAsync(cancellationToken);
        await using var body = openBody();
        if (upload.IsLocal)
            return await zfs.ReceiveAsync(upload, client, body, cancellationToken);
        using var reservation = quota.Open(client);
        return await objects.ReceiveAsync(upload, body, reservation, cancellationToken);
    }
}
