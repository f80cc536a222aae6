using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// Reads a send stream, verifies every record in the buffer it was read into, and cuts the stream into blocks of whole
/// records: at the first boundary after 1 MiB, or earlier if the next record does not fit into the buffer. Reads stop
/// at the end of the record that completes a block, so almost nothing has to be copied. Needs a dedicated thread, which
/// reading blocks.
/// </summary>
internal sealed class BlockCutter(
    Stream source,
    ParserState start,
    BlockBuffers buffers,
    Action<CutBlock> emit,
    Action<int> progress
)
{
    /// <summary>Size in bytes after which a block ends with the current record.</summary>
    public const int Target = 1024 * 1024;

    /// <summary>
    /// Bytes of a usual buffer: with records of up to 256 KiB, the one that completes a block always fits.
    /// </summary>
    public const int BufferSize = Target + StreamSlice.Size + RecordHeader.Size;

    private readonly SendStreamParser _parser = SendStreamParser.Resume(start);
    private BlockBuffer? _buffer;
    private int _filled;

    /// <summary>How many of the filled bytes the parser has seen; the rest is the beginning of a header.</summary>
    private int _verified;

    /// <summary>Reads to the end.</summary>
    /// <returns>The state after END.</returns>
    /// <exception cref="SendStreamException">The stream is faulty or ends early.</exception>
    public ParserState Run(CancellationToken cancellationToken)
    {
        _buffer = buffers.Rent(BufferSize, cancellationToken);
        try
        {
            int count;
            while ((count = source.Read(_buffer.Array, _filled, NextRead())) > 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                _filled += count;
                progress(count);
                Verify(cancellationToken);
            }

            Feed(_filled - _verified);
            _parser.EnsureComplete();
            if (_filled > 0)
                Emit(_filled);
            return _parser.State;
        }
        finally
        {
            _buffer?.Dispose();
        }
    }

    /// <summary>Reads up to where a block may end; beyond that, only to the end of the current record.</summary>
    private int NextRead()
    {
        var end = _parser.IsAtBoundary ? _verified + RecordHeader.Size : (int)(_verified + _parser.RecordLeft);
        return Math.Min(Math.Max(end, Math.Min(Target, _buffer!.Array.Length)) - _filled, StreamSlice.Size);
    }

    private void Verify(CancellationToken cancellationToken)
    {
        while (_verified < _filled)
        {
            if (_parser.IsAtBoundary && !_parser.IsComplete)
            {
                if (_verified >= Target)
                    Cut(BufferSize, cancellationToken);
                if (_filled - _verified < RecordHeader.Size)
                    return; // a header is parsed as a whole
                MakeRoom(cancellationToken);
                Feed(RecordHeader.Size);
            }

            Feed(
                (int)Math.Clamp(_parser.RecordLeft, _parser.IsComplete ? _filled - _verified : 0, _filled - _verified)
            );
        }

        if (_parser.IsAtBoundary && _verified >= Target)
            Cut(BufferSize, cancellationToken);
    }

    /// <summary>Makes room for the record whose header is at the boundary.</summary>
    private void MakeRoom(CancellationToken cancellationToken)
    {
        var header = new RecordHeader(_buffer!.Array.AsSpan(_verified, RecordHeader.Size));
        var size = RecordHeader.Size + header.PayloadLength;
        if (_verified + size <= _buffer.Array.Length)
            return;
        if (size > StoredPart.MaxBlockSize - Target)
        {
            var index = _parser.RecordCount;
            Feed(RecordHeader.Size); // a header that is damaged is refused here
            throw new OperationException(
                ExitCode.Damaged,
                $"Record {index} of the stream has {size} bytes; ZFS sends no record larger than 16 MiB."
            );
        }

        Cut(Math.Max(BufferSize, (int)size), cancellationToken);
    }

    /// <summary>
    /// Ends the block at the boundary and continues in another buffer. That one is rented first, because an emitted
    /// buffer belongs to its receiver.
    /// </summary>
    private void Cut(int size, CancellationToken cancellationToken)
    {
        var next = buffers.Rent(size, cancellationToken);
        var rest = _buffer!.Array.AsSpan(_verified, _filled - _verified);
        rest.CopyTo(next.Array);
        if (_verified > 0)
            Emit(_verified);
        else
            _buffer.Dispose();
        _buffer = next;
        (_filled, _verified) = (rest.Length, 0);
    }

    private void Emit(int length)
    {
        emit(new CutBlock(_buffer!, length, _parser.State));
        _buffer = null;
    }

    /// <summary>Gives the parser the next bytes, all of one record.</summary>
    private void Feed(int count)
    {
        ReadOnlySpan<byte> input = _buffer!.Array.AsSpan(_verified, count);
        _verified += count;
        ParserEvent found;
        do
        {
            found = _parser.Read(ref input, out _);
        } while (found is not (ParserEvent.NeedMoreInput or ParserEvent.EndOfStream) || !input.IsEmpty);
    }
}

/// <summary>A run of whole records.</summary>
/// <param name="Buffer">Contains them at its start; the receiver returns it.</param>
/// <param name="Length">Their bytes.</param>
/// <param name="End">State of the stream after them.</param>
internal sealed record CutBlock(BlockBuffer Buffer, int Length, ParserState End);
