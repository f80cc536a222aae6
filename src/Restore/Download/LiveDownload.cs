using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// One attempt to download the stream of a backup in the server's ZFS, which sends it while it is read: from its start,
/// or the part that an interrupted receive still needs.
/// </summary>
/// <param name="backup">The backup.</param>
/// <param name="body">The body of the response.</param>
internal sealed class LiveDownload(SnapshotInfo backup, Stream body) : IAsyncDisposable
{
    /// <param name="server">The server.</param>
    /// <param name="backup">The backup.</param>
    /// <param name="token">Where the stream resumes; null: from its start.</param>
    /// <exception cref="OperationException">The server does not send it, or cannot use the token.</exception>
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
            // No reason to start over by itself: what was received may be days of work, and what stands in the way is
            // on the server.
            throw new OperationException(
                ExitCode.Conflict,
                $"The server cannot continue the stream of {backup.SnapshotId} where it was interrupted: {e.Message}",
                "Ask the server's administrator whether its datasets were renamed."
            );
        }
    }

    /// <summary>
    /// Writes the stream; each slice is verified first. A stream that breaks off is a failure, never an end.
    /// </summary>
    /// <param name="progress">Called with the number of bytes received.</param>
    /// <exception cref="OperationException">The connection broke, or the stream is not that of the listed backup
    /// (<see cref="ExitCode.Damaged"/>).</exception>
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
