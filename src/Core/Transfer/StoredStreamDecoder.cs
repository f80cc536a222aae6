using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// Reads a stored object as what it must be: a whole, right send stream, compressed whole and right, and nothing after
/// it.
/// </summary>
public static class StoredStreamDecoder
{
    public delegate ValueTask SliceHandler(ReadOnlyMemory<byte> slice, CancellationToken cancellationToken);

    /// <summary>
    /// Decompresses and verifies all of <paramref name="stored"/>. Memory is bounded, whatever the data.
    /// </summary>
    /// <param name="stored">The stored bytes.</param>
    /// <param name="format">How they are compressed.</param>
    /// <param name="onBegin">Sees what the stream says it is as soon as that is known; may throw to refuse it.</param>
    /// <param name="onVerified">Gets the stream's bytes, in order, once the verifier has seen them.</param>
    /// <exception cref="SendStreamException">The stream is not whole or not right.</exception>
    /// <exception cref="OperationException">The compressed data are damaged
    /// (<see cref="ExitCode.Damaged"/>).</exception>
    public static async Task<StreamInfo> DecodeAsync(
        StoredBytesReader stored,
        CompressionFormat format,
        Action<SnapshotStreamInfo>? onBegin,
        SliceHandler? onVerified,
        CancellationToken cancellationToken
    )
    {
        var verifier = new SendStreamVerifier();
        using var stream = new DecompressedStream(stored, format);
        ReadOnlyMemory<byte> slice;
        while (!(slice = await stream.ReadSliceAsync(StreamSlice.Size, cancellationToken)).IsEmpty)
        {
            var known = verifier.Begin is not null;
            verifier.Append(slice.Span);
            if (!known && verifier.Begin is { } begin)
                onBegin?.Invoke(begin);
            if (onVerified is not null)
                await onVerified(slice, cancellationToken);
        }

        return verifier.Complete();
    }
}
