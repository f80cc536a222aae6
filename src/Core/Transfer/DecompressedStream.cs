using System.Buffers;
using ZfsSnapshotManager.Core.Compression;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// The bytes of a stored object, decompressed: blocks of ours on several processors at once, whatever else <c>gzip</c>
/// or <c>zstd</c> wrote one after another, plain streams as they are. It ends only where the data end whole and right,
/// with nothing after them.
/// </summary>
/// <param name="stored">The stored bytes; they are read on the way, and some blocks ahead. Not disposed of.</param>
/// <param name="format">How they are compressed.</param>
/// <param name="alone">False where several such streams are read at once, which keep the processors busy by themselves:
/// then this one takes memory for two blocks only.</param>
public sealed class DecompressedStream(StoredBytesReader stored, CompressionFormat format, bool alone = true)
    : ForwardOnlyStream
{
    private readonly BlockPipeline? _blocks =
        format == CompressionFormat.None
            ? null
            : new BlockPipeline(stored, format, alone ? BlockPipeline.MostWorkers : 1);
    private ContinuousDecoder? _decoder;
    private byte[]? _room;
    private ReadOnlyMemory<byte> _slice;

    /// <summary>Bytes given out so far.</summary>
    public long BytesGiven { get; private set; }

    public override bool CanRead => true;

    /// <summary>Takes the next bytes without copying them: good until the next call; empty at the end.</summary>
    /// <param name="count">The most to take; it may be fewer.</param>
    /// <exception cref="OperationException">The compressed data are damaged
    /// (<see cref="ExitCode.Damaged"/>).</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadSliceAsync(int count, CancellationToken cancellationToken)
    {
        if (_slice.IsEmpty)
            _slice = await NextAsync(cancellationToken);
        var taken = _slice[..Math.Min(Math.Min(count, StreamSlice.Size), _slice.Length)];
        _slice = _slice[taken.Length..];
        BytesGiven += taken.Length;
        return taken;
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
                _decoder = ContinuousDecoder.Create(format, rest);
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
                $"The compressed data {e.Message}: seen after {stored.BytesRead} compressed bytes, {BytesGiven} "
                    + "bytes of the stream.",
                innerException: e
            );
        }
    }
}
