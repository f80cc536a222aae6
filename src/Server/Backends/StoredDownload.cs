using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Backends;

/// <summary>
/// Sends stored bytes from the buffers of parts to the connection. When others wait for memory, it gives its buffers
/// back at the end of a part. While its client reads nothing, it gives them back within a part, which is then read from
/// the store again: a client that is only slow keeps its part.
/// </summary>
internal sealed class StoredDownload(
    BackupStream content,
    DownloadSlots slots,
    PacedWriter writer,
    string clientId,
    TimeProvider time
) : IAsyncDisposable
{
    /// <summary>Few bytes are sent at once, so that a slow client is seen to read: one that takes them is not
    /// stalled.</summary>
    private const int PieceSize = 32 * 1024;

    private IDisposable? _memory;
    private long _since;

    /// <summary>Reads the first part, so that a missing or damaged one can be answered as an error.</summary>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await AcquireAsync(Limits.ReadPatience, cancellationToken);
        await content.PrepareAsync(cancellationToken);
    }

    /// <param name="onProgress">Is called for each piece that was read.</param>
    public async Task SendAsync(long count, Action onProgress, CancellationToken cancellationToken)
    {
        var left = count;
        while (left > 0)
        {
            // The response has begun, and its client waits for it as this server waits for its client.
            await AcquireAsync(writer.Idle, cancellationToken);
            var piece = await content.ReadSliceAsync((int)Math.Min(PieceSize, left), cancellationToken);
            left -= piece.Length;
            onProgress();
            await writer.WriteAsync(piece, OnStalledAsync);
            if (content.IsAtPartEnd && slots.IsMemoryAwaited && time.GetElapsedTime(_since) >= Limits.DownloadTurn)
                await ReleaseAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await content.DisposeAsync();
        _memory?.Dispose();
    }

    private async ValueTask AcquireAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        if (_memory is not null)
            return;
        _memory = await slots.AcquireMemoryAsync(clientId, patience, cancellationToken);
        _since = time.GetTimestamp();
    }

    private async ValueTask OnStalledAsync(TimeSpan lasted)
    {
        if (lasted >= Limits.DownloadStall)
            await ReleaseAsync();
    }

    private async ValueTask ReleaseAsync()
    {
        await content.ReleaseAsync();
        _memory?.Dispose();
        _memory = null;
    }
}
