using System.Collections.Concurrent;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Compression.Blocks;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// Buffers for one block at a time: its stored bytes, its decompressed bytes, and the work that makes the second from
/// the first. When it is disposed of, it is kept to be used again.
/// </summary>
internal sealed class PipelineBlock : IDisposable
{
    /// <summary>How many are kept for a format; each has 2 or 3 MiB.</summary>
    private const int MostKept = 16;

    /// <summary>
    /// Buffers grow by multiples of this many bytes, so that few blocks need a larger buffer than the blocks before.
    /// </summary>
    private const int Step = 256 * 1024;

    /// <summary>In bytes. Usual blocks have about 1 MiB; the memory of blocks above this size is not kept.</summary>
    private const int LargeSize = 4 * 1024 * 1024;

    private static readonly ConcurrentDictionary<CompressionFormat, FreeList<PipelineBlock>> Free = new();

    private readonly CompressionFormat _format;
    private readonly BlockDecompressor _decompressor;
    private byte[] _stored = [];
    private byte[] _unpacked = [];
    private BlockHeader _header;
    private int _read;
    private Task? _work;

    private PipelineBlock(CompressionFormat format) =>
        (_format, _decompressor) = (format, BlockCompression.CreateDecompressor(format));

    /// <summary>Of the block whose header was read.</summary>
    public int UnpackedSize => _header.UnpackedSize;

    public bool IsLarge => _header.StoredSize > LargeSize || _header.UnpackedSize > LargeSize;

    public bool IsDamaged => _work is { IsFaulted: true };

    /// <summary>The stored bytes that were read so far.</summary>
    public ReadOnlyMemory<byte> Read => _stored.AsMemory(0, _read);

    /// <summary>Returns one that is unused; the caller disposes of it exactly once.</summary>
    public static PipelineBlock Rent(CompressionFormat format) => FreeOf(format).TryRent() ?? new PipelineBlock(format);

    /// <summary>Reads the next bytes, and returns whether they are the header of a block.</summary>
    public async Task<bool> ReadHeaderAsync(StoredBytesReader source, CancellationToken cancellationToken)
    {
        var size = BlockCompression.HeaderSize(_format);
        (_header, _read, _work) = (default, 0, null);
        Grow(ref _stored, size, keep: 0);
        _read = await source.ReadAtLeastAsync(
            _stored.AsMemory(0, size),
            size,
            throwOnEndOfStream: false,
            cancellationToken
        );
        try
        {
            return _read == size && BlockCompression.TryReadHeader(_format, _stored.AsSpan(0, size), out _header);
        }
        catch (OperationException e)
        {
            throw ContinuousDecoder.Damaged(e.Message, e);
        }
    }

    /// <summary>Reads the rest of the block whose header was read.</summary>
    /// <returns>False if the block is cut off.</returns>
    public async Task<bool> ReadAsync(StoredBytesReader source, CancellationToken cancellationToken)
    {
        while (_read < _header.StoredSize)
        {
            // Memory grows with the bytes that arrive: a false header gets no more than twice their size.
            var goal = Math.Min(_header.StoredSize, Math.Max(LargeSize, 2 * _read));
            Grow(ref _stored, goal, keep: _read);
            var count = await source.ReadAtLeastAsync(
                _stored.AsMemory(_read, goal - _read),
                goal - _read,
                throwOnEndOfStream: false,
                cancellationToken
            );
            _read += count;
            if (_read < goal)
                return false;
        }

        return true;
    }

    /// <summary>Starts to decompress the block on a thread of the pool.</summary>
    public void Start(CancellationToken cancellationToken)
    {
        Grow(ref _unpacked, _header.UnpackedSize, keep: 0);
        _work = Task.Run(
            () =>
                _decompressor.Decompress(
                    _stored.AsSpan(0, _header.StoredSize),
                    _unpacked.AsSpan(0, _header.UnpackedSize)
                ),
            cancellationToken
        );
    }

    /// <summary>Waits until the block is decompressed, and returns it.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> DecompressedAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _work!.WaitAsync(cancellationToken);
        }
        catch (OperationException e)
        {
            throw ContinuousDecoder.Damaged(e.Message, e);
        }

        return _unpacked.AsMemory(0, _header.UnpackedSize);
    }

    /// <summary>Drops large buffers.</summary>
    public void Shrink()
    {
        if (_stored.Length > LargeSize)
            _stored = [];
        if (_unpacked.Length > LargeSize)
            _unpacked = [];
    }

    /// <summary>Keeps the buffers at once, or after running work has ended: it writes into them.</summary>
    public void Dispose()
    {
        if (_work is { IsCompleted: false })
            _ = _work.ContinueWith(
                _ => Release(),
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default
            );
        else
            Release();
    }

    private void Release()
    {
        Shrink();
        if (_work is { IsCompletedSuccessfully: false } || !FreeOf(_format).TryReturn(this))
            _decompressor.Dispose();
    }

    private static FreeList<PipelineBlock> FreeOf(CompressionFormat format) =>
        Free.GetOrAdd(format, _ => new FreeList<PipelineBlock>(MostKept));

    private static void Grow(ref byte[] buffer, int size, int keep)
    {
        if (buffer.Length >= size)
            return;
        var larger = GC.AllocateUninitializedArray<byte>(size > LargeSize ? size : (size + Step - 1) / Step * Step);
        buffer.AsSpan(0, keep).CopyTo(larger);
        buffer = larger;
    }
}
