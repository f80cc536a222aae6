using ZfsSnapshotManager.Core.Compression;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// Reads blocks one after another, has several decompressed at once, and gives them out in their order. Who asks for a
/// block reads on, as far as there are free buffers; only decompressing happens elsewhere. The first error in the order
/// of the blocks is the one that is told.
/// </summary>
/// <param name="stored">Where they are read.</param>
/// <param name="format">How they are compressed.</param>
/// <param name="workers">Blocks that are decompressed at once, at most.</param>
internal sealed class BlockPipeline(StoredBytesReader stored, CompressionFormat format, int workers) : IDisposable
{
    /// <summary>
    /// Reading and digesting what is stored keeps up with the decompressing of some three processors; more of them
    /// would only take memory.
    /// </summary>
    public static readonly int MostWorkers = Math.Min(Environment.ProcessorCount, 4);

    private readonly CancellationTokenSource _disposing = new();
    private readonly Queue<PipelineBlock> _underWay = new();
    private readonly Stack<PipelineBlock> _free = new();

    // One is read while the others are decompressed, and one is given out.
    private readonly int _ahead = workers > 1 ? workers + 1 : 1;
    private PipelineBlock? _next;
    private PipelineBlock? _lent;
    private Task? _failed;
    private bool _ended;

    /// <summary>
    /// What is not made of blocks, from its first byte on; null where there is no such thing. Known when no more blocks
    /// come.
    /// </summary>
    public PushbackStream? Rest { get; private set; }

    /// <summary>The next block, good until the next call; empty when no more come.</summary>
    /// <exception cref="InvalidDataException">The next block is damaged.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> NextAsync(CancellationToken cancellationToken)
    {
        if (_lent is { IsDamaged: true })
            return await _lent.DecompressedAsync(cancellationToken);
        Recycle();

        // What fails here is told when the blocks before it have been given out.
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

            // A large block has memory of its own. While there is one, there is nothing else.
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

    /// <summary>False at the end of the blocks.</summary>
    private async Task<bool> ReadHeaderAsync(CancellationToken cancellationToken)
    {
        _next = _free.TryPop(out var free) ? free : PipelineBlock.Rent(format);
        if (await _next.ReadHeaderAsync(stored, cancellationToken))
            return true;
        EndWith(_next, isCut: false);
        return false;
    }

    /// <summary>What was read of something that is no whole block goes before the rest; it stays where it is.</summary>
    private void EndWith(PipelineBlock block, bool isCut)
    {
        _ended = true;
        if (!block.Read.IsEmpty)
            Rest = new PushbackStream(block.Read, stored, isCut);
    }
}
