using System.Buffers;
using ZfsSnapshotManager.Core.Compression;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// The bytes of a stored object, decompressed: independent blocks on several processors at once, other data of
/// <c>gzip</c> or <c>zstd</c> from start to end, plain streams as they are. It ends only if the data end complete and
/// valid, with nothing after them.
/// </summary>
/// <param name="stored">The stored bytes, read as needed and some blocks ahead. They are not disposed of.</param>
/// <param name="format">How they are compressed.</param>
/// <param name="alone">False if several such streams are read at once and keep the processors busy: then this one uses
/// memory for two blocks only.</param>
/// <param name="limits">What the data may take; null: what the formats allow.</param>
public sealed class DecompressedStream(
    StoredBytesReader stored,
    CompressionFormat format,
    bool alone = true,
    DecodeLimits? limits = null
) : ForwardOnlyStream
{
    private readonly DecodeLimits _limits = limits ?? DecodeLimits.OfFormats;
    private readonly BlockPipeline? _blocks =
        format == CompressionFormat.None
            ? null
            : new BlockPipeline(stored, format, WorkersFor(alone), (limits ?? DecodeLimits.OfFormats).Block);
    private ContinuousDecoder? _decoder;
    private byte[]? _room;
    private ReadOnlyMemory<byte> _slice;

    /// <summary>Bytes returned so far.</summary>
    public long BytesReturned { get; private set; }

    public override bool CanRead => true;

    /// <summary>Returns the next bytes without copying them: valid until the next call; empty at the end.</summary>
    /// <param name="count">The most to return; it may be fewer.</param>
    /// <exception cref="OperationException">The compressed data are damaged
    /// (<see cref="ExitCode.Damaged"/>).</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadSliceAsync(int count, CancellationToken cancellationToken)
    {
        if (_slice.IsEmpty)
            _slice = await NextAsync(cancellationToken);
        var slice = _slice[..Math.Min(Math.Min(count, StreamSlice.Size), _slice.Length)];
        _slice = _slice[slice.Length..];
        BytesReturned += slice.Length;
        return slice;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
            return 0;
        var taken = await ReadSliceAsync(buffer.Length, cancellationToken);
        taken.CopyTo(buffer);
        return taken.Length;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _blocks?.Dispose();
            _decoder?.Dispose();
            if (_room is not null)
                ArrayPool<byte>.Shared.Return(_room);
            _room = null;
            _slice = default;
        }

        base.Dispose(disposing);
    }

    private async ValueTask<ReadOnlyMemory<byte>> NextAsync(CancellationToken cancellationToken)
    {
        if (_blocks is null)
            return await stored.ReadSliceAsync(StreamSlice.Size, cancellationToken);
        try
        {
            if (_decoder is null)
            {
                var block = await _blocks.NextAsync(cancellationToken);
                if (!block.IsEmpty || _blocks.Rest is not { } rest)
                    return block;
                _decoder = ContinuousDecoder.Create(format, rest, _limits);
            }

            _room ??= ArrayPool<byte>.Shared.Rent(StreamSlice.Size);
            var count = await _decoder.ReadAsync(_room.AsMemory(0, StreamSlice.Size), cancellationToken);
            if (count == 0 && _blocks.Rest!.IsCutBlock)
                throw ContinuousDecoder.Damaged("a block ends too early");
            return _room.AsMemory(0, count);
        }
        catch (InvalidDataException e)
        {
            throw new OperationException(
                ExitCode.Damaged,
                $"The compressed data {e.Message}: seen after {stored.BytesRead} compressed bytes, {BytesReturned} "
                    + "bytes of the stream.",
                innerException: e
            );
        }
    }

    private static int WorkersFor(bool alone) => alone ? BlockPipeline.MostWorkers : 1;
}
