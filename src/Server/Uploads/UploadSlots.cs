using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// How many streams are taken in at once: each needs memory for one part at least, and clients decide how many they
/// send. Who finds no place waits in line, as long as an upload may be silent.
/// </summary>
internal sealed class UploadSlots(ServerSettings settings) : IDisposable
{
    private readonly SemaphoreSlim _places = new(settings.MaxUploads);

    /// <returns>Gives the place back when it is disposed.</returns>
    /// <exception cref="RequestException">There was none for too long.</exception>
    public async Task<IDisposable> TakeAsync(CancellationToken cancellationToken)
    {
        if (await _places.WaitAsync(settings.UploadIdleTimeout, cancellationToken))
            return new Place(_places);
        throw new RequestException(
            StatusCodes.Status503ServiceUnavailable,
            "server_busy",
            $"The server takes {settings.MaxUploads} uploads at once, and none of them ended for "
                + $"{settings.UploadIdleTimeout.TotalSeconds:0} s.",
            "Run the backup again later; the server's administrator can raise MAX_UPLOADS."
        );
    }

    public void Dispose() => _places.Dispose();

    private sealed class Place(SemaphoreSlim places) : IDisposable
    {
        public void Dispose() => places.Release();
    }
}
