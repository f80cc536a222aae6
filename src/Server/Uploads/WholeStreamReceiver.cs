using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Receives a whole stream in one body, once there is a slot for it.</summary>
internal sealed class WholeStreamReceiver(UploadSlots slots, UploadBackends backends)
{
    /// <param name="length">Bytes of the body; null: unknown.</param>
    /// <param name="openBody">Opens the body, once the upload has a slot.</param>
    /// <exception cref="RequestException">The stream is refused; nothing of it was kept.</exception>
    public async Task<SnapshotInfo> ReceiveAsync(
        UploadRecord upload,
        ClientEntry client,
        long? length,
        Func<Stream> openBody,
        CancellationToken cancellationToken
    )
    {
        using var slot = await slots.AcquireAsync(client.ClientId, cancellationToken);
        await using var body = openBody();
        var sized = upload with { BodySize = length };
        return await backends.Of(upload).ReceiveBodyAsync(sized, client, body, cancellationToken);
    }
}
