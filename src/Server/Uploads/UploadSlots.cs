using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Limits how many streams are received at once in one body: each needs memory for at least one part, and clients
/// decide how many they send, and how slowly: <c>zfs send</c> may pause. So one client never holds more than half of
/// the slots. An upload without a slot waits in line for as long as an upload may be idle.
/// </summary>
internal sealed class UploadSlots(ServerSettings settings)
{
    private readonly FairSlots _slots = new(settings.MaxUploads, Math.Max(1, settings.MaxUploads / 2));

    /// <returns>Releases the slot when it is disposed.</returns>
    /// <exception cref="RequestException">503: no slot was released for too long.</exception>
    public async Task<IDisposable> AcquireAsync(string clientId, CancellationToken cancellationToken) =>
        await _slots.AcquireAsync(clientId, settings.UploadIdleTimeout, cancellationToken)
        ?? throw RequestException.Busy(
            $"The server receives {settings.MaxUploads} uploads at once, at most half of them of one client, and none "
                + $"of them ended for {settings.UploadIdleTimeout.TotalSeconds:0} s.",
            "Run the backup again later; the server's administrator can raise MAX_UPLOADS."
        );
}
