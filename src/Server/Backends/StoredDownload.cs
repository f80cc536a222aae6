using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Backends;

/// <summary>
/// Sends stored bytes from the buffers of parts to the connection. While its client does not read, and when others wait
/// for memory, it gives its buffers back; the part is then read from the store again.
/// </summary>
internal sealed class StoredDownload(
    BackupStream content,
    DownloadSlots slots,
    PacedWriter writer,
    string clientId,
    TimeProvider time
) : IAsyncDisposable
{
    private IDisposable? _memory;
    private long _since;

    /// <summary>Reads the first part, so that a missing or damaged one can be answered as an error.</summary>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await AcquireAsync(cancellationToken);
        await content.PrepareAsync(cancellationToken);
    }

    public async Task SendAsync(long count, CancellationToken cancellationToken)
    {
        var left = count;
        while (left > 0)
        {
            await AcquireAsync(cancellationToken);
            var slice = await content.ReadSliceAsync((int)Math.Min(StreamSlice.Size, left), cancellationToken);
            left -= slice.Length;
            await writer.WriteAsync(slice, OnStalledAsync);
            if (slots.IsMemoryAwaited && time.GetElapsedTime(_since) >= Limits.DownloadTurn)
                await ReleaseAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await content.DisposeAsync();
        _memory?.Dispose();
    }

    private async ValueTask AcquireAsync(CancellationToken cancellationToken)
    {
        if (_memory is not null)
            return;
        _memory = await slots.AcquireMemoryAsync(clientId, cancellationToken);
        _since = time.GetTimestamp();
    }

    private async ValueTask OnStalledAsync(TimeSpan lasted)
    {
        if (slots.IsMemoryAwaited || lasted >= Limits.DownloadStall)
            await ReleaseAsync();
    }

    private async ValueTask ReleaseAsync()
    {
        await content.ReleaseAsync();
        _memory?.Dispose();
        _memory = null;
    }
}
