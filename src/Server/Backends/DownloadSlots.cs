using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Backends;

/// <summary>
/// Limits how many downloads run at once, and how many of them have memory for parts. A download may be read as slowly
/// as its client likes; the memory goes to others meanwhile.
/// </summary>
internal sealed class DownloadSlots(PartBuffers buffers, PacedResponses responses, TimeProvider time)
{
    private readonly FairSlots _running = new(Limits.Downloads, Limits.DownloadsPerClient);
    private readonly FairSlots _reading = new(buffers.Limit, buffers.Limit);

    /// <summary>Whether another download waits for memory.</summary>
    public bool IsMemoryAwaited => _reading.IsAwaited;

    /// <summary>A slot for as long as the download runs.</summary>
    /// <exception cref="RequestException">503: too many run.</exception>
    public async Task<IDisposable> BeginAsync(string clientId, CancellationToken cancellationToken) =>
        await _running.AcquireAsync(clientId, Limits.ReadPatience, cancellationToken)
        ?? throw RequestException.Busy(
            $"{Limits.Downloads} downloads run, or {Limits.DownloadsPerClient} of this client, and none of them ended "
                + $"within {Limits.ReadPatience.TotalSeconds:0} s.",
            "Try again later, with fewer downloads at once."
        );

    /// <param name="content">Is disposed with the download.</param>
    public StoredDownload Open(HttpContext context, string clientId, BackupStream content) =>
        new(content, this, responses.Begin(context), clientId, time);

    /// <summary>A slot for as long as the download has parts in memory.</summary>
    /// <exception cref="RequestException">503: no other gave its memory back.</exception>
    public async Task<IDisposable> AcquireMemoryAsync(
        string clientId,
        TimeSpan patience,
        CancellationToken cancellationToken
    ) =>
        await _reading.AcquireAsync(clientId, patience, cancellationToken)
        ?? throw RequestException.Busy(
            $"The server reads parts for {_reading.Limit} downloads at once, and none of them had to wait or ended "
                + $"within {patience.TotalSeconds:0} s.",
            "Try again later."
        );
}
