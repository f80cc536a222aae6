using System.Threading.Channels;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// <c>zfs send</c> on its way to the server: read and verified by one thread, compressed by several, gathered in parts
/// in order, and sent by several lanes. Every stage waits for room in the next, and so does <c>zfs send</c> in the end.
/// </summary>
/// <param name="memory">How many lanes and threads there are.</param>
/// <param name="format">How the stream is stored.</param>
/// <param name="level">Null: the format's default.</param>
/// <param name="from">Where it begins.</param>
/// <param name="send">Sends a part, as often as it takes; a stream that fits into one part is not sent here.</param>
/// <param name="progress">Gets bytes of the stream.</param>
internal sealed class StreamPipeline(
    TransferMemory memory,
    CompressionFormat format,
    int? level,
    TransferStart from,
    Func<UploadPart, CancellationToken, Task> send,
    Action<int> progress
)
{
    private readonly Channel<StoredBlock> _blocks = Channel.CreateUnbounded<StoredBlock>();
    private readonly Channel<UploadPart> _parts = Channel.CreateUnbounded<UploadPart>();

    /// <summary>Whether anything of the stream came.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>Runs until the last part is stored, or one stage fails.</summary>
    /// <param name="zfs">Ended when a stage fails.</param>
    /// <param name="stream">What it sends, as it is to be stored.</param>
    public async Task<TransferEnd> RunAsync(ZfsProcess zfs, Stream stream, CancellationToken cancellationToken)
    {
        using var buffers = new BlockBuffers(memory.Blocks, BlockCutter.BufferSize);
        using var chunks = new PartChunks(memory.Chunks);
        using var workers = new BlockWorkers(format, level, memory.Workers);
        using var room =
            memory.Workers > 0 ? new BlockBuffers(memory.Blocks, workers.MaxSize(BlockCutter.BufferSize)) : null;
        using var builder = new PartBuilder(chunks, memory.PartSize, from);
        using var stages = new Stages(cancellationToken);
        await using var killer = stages.Stop.Register(zfs.Kill); // a blocked read ends only with its pipe
        var reading = stages.Run(() =>
            ReadAsync(zfs, new BlockCutter(stream, from.State, buffers, Emit, Count), stages.Stop)
        );
        var building = stages.Run(() => BuildAsync(builder, stages.Stop));
        var lanes = Enumerable
            .Range(0, memory.Lanes)
            .Select(_ => stages.Run(() => SendAsync(chunks, stages.Stop)))
            .ToList();
        await stages.EndAsync([reading, building, .. lanes]);
        return new TransferEnd(await reading, builder.Finished, await building);

        void Count(int bytes)
        {
            HasBegun = true;
            progress(bytes);
        }

        void Emit(CutBlock block)
        {
            var stored = new StoredBlock(block, room?.Rent(workers.MaxSize(block.Length), stages.Stop));
            if (room is null)
                stored.StorePlain();
            else
                workers.Add(stored);
            _blocks.Writer.TryWrite(stored);
        }
    }

    private async Task<ParserState> ReadAsync(ZfsProcess zfs, BlockCutter cutter, CancellationToken cancellationToken)
    {
        ParserState end;
        try
        {
            end = await Task.Factory.StartNew(
                () => cutter.Run(cancellationToken),
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default
            );
        }
        catch (SendStreamException e) when (e.Error == SendStreamError.EndsEarly)
        {
            await zfs.WaitForSuccessAsync(cancellationToken); // its own words are the better ones
            throw;
        }

        // A killed zfs send ends its pipe like a finished one.
        await zfs.WaitForSuccessAsync(cancellationToken);
        _blocks.Writer.Complete();
        return end;
    }

    /// <returns>The whole stream, if it is no more than one part that is not full; that is left to the
    /// caller.</returns>
    private async Task<UploadPart?> BuildAsync(PartBuilder builder, CancellationToken cancellationToken)
    {
        var last = await builder.RunAsync(_blocks.Reader, _parts.Writer, cancellationToken);
        var whole = last?.Number == 1 ? last : null;
        if (last is not null && whole is null)
            await _parts.Writer.WriteAsync(last, cancellationToken);
        _parts.Writer.Complete();
        return whole;
    }

    private async Task<bool> SendAsync(PartChunks chunks, CancellationToken cancellationToken)
    {
        await foreach (var part in _parts.Reader.ReadAllAsync(cancellationToken))
        {
            await send(part, cancellationToken);
            chunks.Return(part.Chunks);
        }

        return true;
    }
}

/// <summary>Where a transfer begins.</summary>
/// <param name="Number">The first part's number.</param>
/// <param name="Offset">Stored bytes of the parts before it.</param>
/// <param name="State">Where the stream stands there.</param>
internal sealed record TransferStart(int Number, long Offset, ParserState State)
{
    public static TransferStart Beginning { get; } = new(1, 0, ParserState.Start);
}

/// <summary>How a transfer ended: the stream was whole and right, and its parts are stored.</summary>
/// <param name="State">Where the stream stands at its end.</param>
/// <param name="Parts">All parts that were made, in order.</param>
/// <param name="Whole">The only part, where it is one that was not sent yet.</param>
internal sealed record TransferEnd(ParserState State, IReadOnlyList<StoredPart> Parts, UploadPart? Whole);
