using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// One attempt at the stream of a backup in the server's ZFS, which makes it while it is read: whole, or what an
/// interrupted receive still needs.
/// </summary>
/// <param name="backup">The backup.</param>
/// <param name="body">What the server sends.</param>
internal sealed class LiveDownload(SnapshotInfo backup, Stream body) : IAsyncDisposable
{
    /// <param name="server">The server.</param>
    /// <param name="backup">The backup.</param>
    /// <param name="token">Where the stream goes on; null: it begins.</param>
    /// <exception cref="StreamCombinationException">The token is of no use there.</exception>
    public static async Task<LiveDownload> OpenAsync(
        ApiClient server,
        SnapshotInfo backup,
        ResumeToken? token,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return new LiveDownload(
                backup,
                await new BackupSource(server, backup).OpenLiveAsync(token?.ToString(), cancellationToken)
            );
        }
        catch (ApiException e) when (token is not null && e.Code is "token_mismatch" or "bad_request")
        {
            throw new StreamCombinationException(e.Message);
        }
    }

    /// <summary>
    /// Writes all of it, each slice verified before. A stream that breaks off is a failure, never an end.
    /// </summary>
    /// <param name="progress">Told of bytes as they come.</param>
    /// <exception cref="Core.OperationException">The connection broke, or what came is not what was listed
    /// (<see cref="Core.ExitCode.Damaged"/>).</exception>
    public Task CopyToAsync(Stream destination, Action<long> progress, CancellationToken cancellationToken)
    {
        var verifier = new BackupVerifier(backup);
        return verifier.RunAsync(async () =>
        {
            await using var stored = new StoredBytesReader(body, Count, digest: false);
            return await StoredStreamDecoder.DecodeAsync(
                stored,
                CompressionFormat.None,
                verifier.CheckBegin,
                (slice, of) => destination.WriteAsync(slice, of),
                cancellationToken
            );
        });

        ValueTask Count(ReadOnlyMemory<byte> block, CancellationToken of)
        {
            progress(block.Length);
            return ValueTask.CompletedTask;
        }
    }

    public ValueTask DisposeAsync() => body.DisposeAsync();
}
