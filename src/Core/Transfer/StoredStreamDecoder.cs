using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// Reads a stored object and verifies it: a complete, valid send stream in complete, valid compressed data, with
/// nothing after it.
/// </summary>
public static class StoredStreamDecoder
{
    public delegate ValueTask SliceHandler(ReadOnlyMemory<byte> slice, CancellationToken cancellationToken);

    /// <summary>
    /// Decompresses and verifies all of <paramref name="stored"/>. Memory is bounded, whatever the data.
    /// </summary>
    /// <param name="stored">The stored bytes.</param>
    /// <param name="format">How they are compressed.</param>
    /// <param name="onBegin">Gets the facts of BEGIN as soon as it was read; may throw to refuse the stream.</param>
    /// <param name="onVerified">Gets the bytes of the stream in order, after they were verified.</param>
    /// <exception cref="SendStreamException">The stream is incomplete or invalid.</exception>
    /// <exception cref="OperationException">The compressed data are damaged
    /// (<see cref="ExitCode.Damaged"/>).</exception>
    public static Task<StreamInfo> DecodeAsync(
        StoredBytesReader stored,
        CompressionFormat format,
        Action<SnapshotStreamInfo>? onBegin,
        SliceHandler? onVerified,
        CancellationToken cancellationToken
    ) => DecodeAsync(stored, format, DecodeLimits.OfFormats, onBegin, onVerified, cancellationToken);

    /// <param name="limits">What the data may take.</param>
    /// <inheritdoc cref="DecodeAsync(StoredBytesReader, CompressionFormat, Action{SnapshotStreamInfo}?, SliceHandler?,
    /// CancellationToken)"/>
    public static async Task<StreamInfo> DecodeAsync(
        StoredBytesReader stored,
        CompressionFormat format,
        DecodeLimits limits,
        Action<SnapshotStreamInfo>? onBegin,
        SliceHandler? onVerified,
        CancellationToken cancellationToken
    )
    {
        var verifier = new SendStreamVerifier { MaxBeginPayload = limits.BeginPayload };
        using var stream = new DecompressedStream(stored, format, limits: limits);
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
