using ZfsSnapshotManager.Core.Compression;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// Reads blocks one after another, decompresses several at once, and returns them in their order. The caller's thread
/// reads ahead as far as there are free buffers; only decompression runs on other threads. Of several errors, the first
/// in the order of the blocks is reported.
/// </summary>
/// <param name="stored">The source of the blocks.</param>
/// <param name="format">How they are compressed.</param>
/// <param name="workers">The most blocks that are decompressed at once.</param>
/// <param name="maxBlock">The most bytes that a block may decompress to.</param>
internal sealed class BlockPipeline(StoredBytesReader stored, CompressionFormat format, int workers, int maxBlock)
    : IDisposable
{
    /// <summary>
    /// One thread reads and digests as fast as about three processors decompress; more workers would only use memory.
    /// </summary>
    public static readonly int MostWorkers = Math.Min(Environment.ProcessorCount, 4);

    private readonly CancellationTokenSource _disposing = new();
    private readonly Queue<PipelineBlock> _underWay = new();
    private readonly Stack<PipelineBlock> _free = new();

    // One block is read while the others are decompressed, and the caller has one.
    private readonly int _ahead = workers > 1 ? workers + 1 : 1;
    private PipelineBlock? _next;
    private PipelineBlock? _lent;
    private Task? _failed;
    private bool _ended;

    /// <summary>
    /// The data that are not made of blocks, from their first byte on; null if there are none. Known when no more
    /// blocks follow.
    /// </summary>
    public PushbackStream? Rest { get; private set; }

    /// <summary>Returns the next block, valid until the next call; empty when no more follow.</summary>
    /// <exception cref="InvalidDataException">The next block is damaged.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> NextAsync(CancellationToken cancellationToken)
    {
        if (_lent is { IsDamaged: true })
            return await _lent.DecompressedAsync(cancellationToken);
        Recycle();

        // A failure here is reported after the blocks before it were returned.
        var filling = FillAsync(cancellationToken);
        await filling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!filling.IsCompletedSuccessfully)
            (_failed, _ended) = (filling, true);
        if (!_underWay.TryDequeue(out _lent))
        {
            if (_failed is not null)
                await _failed;
            return default;
        }

        return await _lent.DecompressedAsync(cancellationToken);
    }

    public void Dispose()
    {
        if (_disposing.IsCancellationRequested)
            return;
        _disposing.Cancel();
        _ended = true;
        PipelineBlock?[] blocks = [_lent, _next, .. _underWay, .. _free];
        (_lent, _next) = (null, null);
        _underWay.Clear();
        _free.Clear();
        foreach (var block in blocks)
            block?.Dispose();
        _disposing.Dispose();
    }

    private void Recycle()
    {
        if (_lent is null)
            return;
        _lent.Shrink();
        _free.Push(_lent);
        _lent = null;
    }

    private async Task FillAsync(CancellationToken cancellationToken)
    {
        while (!_ended && _underWay.Count < _ahead)
        {
            if (_next is null && !await ReadHeaderAsync(cancellationToken))
                return;

            // A large block has memory of its own. While one is decompressed, no other block is in memory.
            if (_underWay.TryPeek(out var first) && (_next!.IsLarge || first.IsLarge))
                return;
            if (!await _next!.ReadAsync(stored, cancellationToken))
            {
                EndWith(_next, isCut: true);
                return;
            }

            _next.Start(_disposing.Token);
            _underWay.Enqueue(_next);
            _next = null;
        }
    }

    /// <returns>False at the end of the blocks.</returns>
    private async Task<bool> ReadHeaderAsync(CancellationToken cancellationToken)
    {
        _next = _free.TryPop(out var free) ? free : PipelineBlock.Rent(format);
        if (await _next.ReadHeaderAsync(stored, cancellationToken))
        {
            if (_next.UnpackedSize > maxBlock)
                throw new InvalidDataException(
                    $"has a block of {_next.UnpackedSize} bytes; at most {maxBlock} are accepted here"
                );
            return true;
        }

        EndWith(_next, isCut: false);
        return false;
    }

    /// <summary>What was read and is not a complete block is put in front of the rest, without a copy.</summary>
    private void EndWith(PipelineBlock block, bool isCut)
    {
        _ended = true;
        if (!block.Read.IsEmpty)
            Rest = new PushbackStream(block.Read, stored, isCut);
    }
}
