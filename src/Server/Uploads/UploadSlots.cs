using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Limits how many streams are received at once in one body: each needs memory for at least one part, and clients
/// decide how many they send. An upload without a slot waits in line for as long as an upload may be idle.
/// </summary>
internal sealed class UploadSlots(ServerSettings settings) : IDisposable
{
    private readonly SemaphoreSlim _slots = new(settings.MaxUploads);

    /// <returns>Releases the slot when it is disposed.</returns>
    /// <exception cref="RequestException">503: no slot was released for too long.</exception>
    public async Task<IDisposable> AcquireAsync(CancellationToken cancellationToken)
    {
        if (await _slots.WaitAsync(settings.UploadIdleTimeout, cancellationToken))
            return new Slot(_slots);
        throw new RequestException(
            StatusCodes.Status503ServiceUnavailable,
            "server_busy",
            $"The server receives {settings.MaxUploads} uploads at once, and none of them ended for "
                + $"{settings.UploadIdleTimeout.TotalSeconds:0} s.",
            "Run the backup again later; the server's administrator can raise MAX_UPLOADS."
        );
    }

    public void Dispose() => _slots.Dispose();

    private sealed class Slot(SemaphoreSlim slots) : IDisposable
    {
        public void Dispose() => slots.Release();
    }
}
