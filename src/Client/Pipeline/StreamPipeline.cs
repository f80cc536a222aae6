using System.Threading.Channels;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// The way from <c>zfs send</c> to the server: one thread reads and verifies, several compress, blocks are gathered
/// into parts in order, and several parts are sent at once. Every stage waits for room in the next one, and so, in the
/// end, does <c>zfs send</c>.
/// </summary>
/// <param name="memory">How many parts are sent at once, and how many threads compress.</param>
/// <param name="format">How the stream is stored.</param>
/// <param name="level">Null: the format's default.</param>
/// <param name="from">Where the stream begins.</param>
/// <param name="digest">Gets the digest of each part, in order.</param>
/// <param name="send">Sends a part, retrying as needed. A stream that fits into one part is returned instead.</param>
/// <param name="progress">Called with the number of stream bytes read.</param>
internal sealed class StreamPipeline(
    MemoryBudget memory,
    CompressionFormat format,
    int? level,
    TransferStart from,
    PartsDigest digest,
    Func<UploadPart, CancellationToken, Task> send,
    Action<int> progress
)
{
    private readonly Channel<StoredBlock> _blocks = Channel.CreateUnbounded<StoredBlock>();
    private readonly Channel<UploadPart> _parts = Channel.CreateUnbounded<UploadPart>();

    /// <summary>Why the stream ends before its END; set before the last block is passed on.</summary>
    private ZfsException? _zfsFailure;

    /// <summary>
    /// Runs until the last part is stored or a stage fails. If <c>zfs send</c> fails, the full parts that it sent
    /// before are still stored: another run resumes after them.
    /// </summary>
    /// <param name="zfs">The process; killed when a stage fails.</param>
    /// <param name="stream">The stream to store.</param>
    public async Task<TransferEnd> RunAsync(ZfsProcess zfs, Stream stream, CancellationToken cancellationToken)
    {
        using var buffers = new BlockBuffers(memory.Blocks, BlockCutter.BufferSize);
        using var chunks = new PartChunks(memory.Chunks);
        using var workers = new BlockWorkers(format, level, memory.Workers);
        using var room =
            memory.Workers > 0 ? new BlockBuffers(memory.Blocks, workers.MaxSize(BlockCutter.BufferSize)) : null;
        using var builder = new PartBuilder(chunks, memory.PartSize, from, digest);
        using var tasks = new TaskGroup(cancellationToken);
        // A synchronous read of a pipe cannot be cancelled, it ends only with the pipe.
        await using var killer = tasks.Stop.Register(zfs.Kill);
        var reading = tasks.Run(() =>
            ReadAsync(zfs, new BlockCutter(stream, from.State, buffers, Emit, progress), tasks.Stop)
        );
        var building = tasks.Run(() => BuildAsync(builder, tasks.Stop));
        var senders = Enumerable
            .Range(0, memory.ParallelParts)
            .Select(_ => tasks.Run(() => SendAsync(chunks, tasks.Stop)))
            .ToList();
        await tasks.WaitAsync([reading, building, .. senders]);
        if (_zfsFailure is not null)
            throw _zfsFailure;
        var state = await reading;
        Invariant.Require(
            builder.End.StreamOffset == state!.StreamOffset,
            "the parts contain all that was read from zfs send"
        );
        return new TransferEnd(state, builder.Finished, await building);

        void Emit(CutBlock block)
        {
            var stored = new StoredBlock(block, room?.Rent(workers.MaxSize(block.Length), tasks.Stop));
            if (room is null)
                stored.StorePlain();
            else
                workers.Add(stored);
            _blocks.Writer.TryWrite(stored);
        }
    }

    /// <returns>State of the stream at its END; null if <c>zfs send</c> failed.</returns>
    private async Task<ParserState?> ReadAsync(ZfsProcess zfs, BlockCutter cutter, CancellationToken cancellationToken)
    {
        ParserState? end;
        try
        {
            end = await ReadToEndAsync(zfs, cutter, cancellationToken);
        }
        catch (ZfsException e) when (!cancellationToken.IsCancellationRequested)
        {
            (_zfsFailure, end) = (e, null);
        }

        _blocks.Writer.Complete();
        return end;
    }

    private static async Task<ParserState> ReadToEndAsync(
        ZfsProcess zfs,
        BlockCutter cutter,
        CancellationToken cancellationToken
    )
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
            // If zfs failed, its own message says more than that the stream ends early.
            await zfs.WaitForSuccessAsync(cancellationToken);
            throw;
        }
        catch (SendStreamException e) when (e.Error == SendStreamError.RefusedOnReceive)
        {
            throw new OperationException(
                ExitCode.Conflict,
                $"This backup could not be restored, so it is not stored: {e.Message}",
                "Run 'zfs-client backup-full' for this dataset once. Later backups are incremental to the new one.",
                e,
                FailureKind.Dataset
            );
        }

        // A killed zfs send closes its pipe just as a finished one does: only the exit code tells them apart.
        await zfs.WaitForSuccessAsync(cancellationToken);
        return end;
    }

    /// <returns>The whole stream, if it fits into one part that is not full; sending it is left to the
    /// caller.</returns>
    private async Task<UploadPart?> BuildAsync(PartBuilder builder, CancellationToken cancellationToken)
    {
        var last = await builder.RunAsync(_blocks.Reader, _parts.Writer, cancellationToken);
        if (_zfsFailure is not null)
            last = null; // only the last part of a complete stream may be smaller than the others
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
/// <param name="State">State of the stream at that point.</param>
internal sealed record TransferStart(int Number, long Offset, ParserState State)
{
    public static TransferStart Beginning { get; } = new(1, 0, ParserState.Start);
}

/// <summary>How a transfer ended: the stream was complete and valid, and its parts are stored.</summary>
/// <param name="State">State of the stream at its end.</param>
/// <param name="Parts">How many parts this transfer had.</param>
/// <param name="Whole">The only part, if it has not been sent yet; otherwise null.</param>
internal sealed record TransferEnd(ParserState State, int Parts, UploadPart? Whole);
