using System.Buffers;
using System.IO.Compression;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>Reads a stored object as what it must be: a whole, right send stream, compressed whole and right, and nothing after it.</summary>
public static class StoredStreamDecoder
{
    private const int SliceSize = 256 * 1024;

    public delegate ValueTask SliceHandler(ReadOnlyMemory<byte> slice, CancellationToken cancellationToken);

    /// <summary>Decompresses and verifies all of <paramref name="stored"/>. Memory is bounded, whatever the data.</summary>
    /// <param name="stored">The stored bytes.</param>
    /// <param name="format">How they are compressed.</param>
    /// <param name="onBegin">Sees what the stream says it is as soon as that is known; may throw to refuse it.</param>
    /// <param name="onVerified">Gets the stream's bytes, in order, once the verifier has seen them.</param>
    /// <exception cref="SendStreamException">The stream is not whole or not right.</exception>
    /// <exception cref="OperationException">The compressed data are damaged (<see cref="ExitCode.Damaged"/>).</exception>
    public static async Task<StreamFacts> DecodeAsync(
        StoredBytesReader stored, CompressionFormat format, Action<BeginFacts>? onBegin, SliceHandler? onVerified, CancellationToken cancellationToken)
    {
        var verifier = new SendStreamVerifier();
        var gzip = format == CompressionFormat.Gzip ? new GZipStream(stored, CompressionMode.Decompress, leaveOpen: true) : null;
        var room = ArrayPool<byte>.Shared.Rent(SliceSize);
        try
        {
            ReadOnlyMemory<byte> slice;
            while (!(slice = await NextAsync().ConfigureAwait(false)).IsEmpty)
            {
                var known = verifier.Begin is not null;
                verifier.Append(slice.Span);
                if (!known && verifier.Begin is { } begin) onBegin?.Invoke(begin);
                if (onVerified is not null) await onVerified(slice, cancellationToken).ConfigureAwait(false);
            }

            // The decompressor stops without asking for more where what follows a gzip member is not another one. gunzip would warn there.
            if (!stored.EndWasRead) throw Damaged("has bytes after its end", stored, verifier);
            return verifier.Complete();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(room);
            if (gzip is not null) await gzip.DisposeAsync().ConfigureAwait(false);
        }

        // What is stored plain is verified where it was read to; copying it would cost half as much as verifying it.
        ValueTask<ReadOnlyMemory<byte>> NextAsync() => gzip is null
            ? stored.TakeAsync(SliceSize, cancellationToken)
            : DecompressAsync(gzip, room.AsMemory(0, SliceSize), stored, verifier, cancellationToken);
    }

    private static async ValueTask<ReadOnlyMemory<byte>> DecompressAsync(
        GZipStream gzip, Memory<byte> room, StoredBytesReader stored, SendStreamVerifier verifier, CancellationToken cancellationToken)
    {
        try
        {
            return room[..await gzip.ReadAsync(room, cancellationToken).ConfigureAwait(false)];
        }
        catch (InvalidDataException e)
        {
            throw Damaged("is damaged or cut off", stored, verifier, e);
        }
    }

    private static OperationException Damaged(string what, StoredBytesReader stored, SendStreamVerifier verifier, Exception? inner = null) =>
        new(ExitCode.Damaged, $"The compressed data {what}: seen after {stored.BytesRead} compressed bytes, {verifier.Length} bytes of the stream.", innerException: inner);
}
