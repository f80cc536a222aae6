using System.Buffers.Binary;
using System.Security.Cryptography;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// Fetches a part and verifies the start of its SHA-256; the rest is verified with its group
/// (<see cref="PartReader"/>). A broken connection is resumed at the first missing byte. A part with a wrong digest is
/// fetched once more, because it may have been damaged in transit.
/// </summary>
/// <param name="open">Opens a range of the backup's bytes.</param>
/// <param name="retry">For a server that is unreachable for a while.</param>
/// <param name="progress">Called with the number of bytes received; negative if they are discarded.</param>
internal sealed class PartFetch(OpenBytes open, RetryPolicy retry, Action<long> progress)
{
    /// <exception cref="OperationException">The part is not what was stored (<see cref="ExitCode.Damaged"/>), or the
    /// server is unreachable for too long.</exception>
    /// <returns>The part's SHA-256.</returns>
    public async Task<byte[]> RunAsync(PartBuffer buffer, CancellationToken cancellationToken)
    {
        var part = buffer.Part;
        for (var attempt = 1; ; attempt++)
        {
            var digest = await ReceiveAsync(buffer, cancellationToken);
            if (BinaryPrimitives.ReadUInt64BigEndian(digest) == part.DigestStart)
                return digest;
            progress(-part.Size);
            if (attempt == 2)
                throw Wrong(part, digest);
        }
    }

    /// <returns>The digest of the received bytes.</returns>
    private async Task<byte[]> ReceiveAsync(PartBuffer buffer, CancellationToken cancellationToken)
    {
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var (part, received, failures) = (buffer.Part, 0, 0);
        while (received < part.Size)
        {
            try
            {
                // Wait for memory before the request: a response that nobody reads would time out.
                _ = await buffer.RoomAsync(received, cancellationToken);
                await using var body = await open(part.Offset + received, part.Size - received, cancellationToken);
                while (received < part.Size)
                {
                    var room = await buffer.RoomAsync(received, cancellationToken);
                    var count = await body.ReadAsync(room, cancellationToken);
                    if (count == 0)
                        throw new OperationException(
                            ExitCode.Unreachable,
                            $"A response with a part of {part.Key} ended early.",
                            "Run the command again."
                        );
                    sha256.AppendData(room.Span[..count]); // here, while they are in the processor's cache
                    (received, failures) = (received + count, 0);
                    retry.Succeeded();
                    progress(count);
                }
            }
            catch (OperationException e) when (e.Kind == FailureKind.Transient)
            {
                await retry.WaitAsync(e, ++failures, cancellationToken);
            }
        }

        return sha256.GetHashAndReset();
    }

    private static OperationException Wrong(BackupPart part, byte[] digest) =>
        new(
            ExitCode.Damaged,
            $"The bytes {part.KeyOffset} to {part.KeyOffset + part.Size - 1} of {part.Key} are not those that were "
                + $"stored: their SHA-256 is {Convert.ToHexStringLower(digest)}, and should begin with "
                + $"{part.DigestStart:x16}."
        );
}
