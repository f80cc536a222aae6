using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.SendStream.Resume;

/// <summary>
/// Reads the second part of a stream as the rest of the first: see <see cref="StreamSplice.OpenRest"/>. Not
/// thread-safe.
/// </summary>
internal sealed class SplicedStream(StreamSplice splice, Fletcher4 checksum, Stream second) : Stream
{
    private const int SliceSize = 256 * 1024;

    /// <summary>Space before the slice, for a header whose first bytes came with the slice before.</summary>
    private const int Gap = RecordHeader.Size;

    private readonly SendStreamParser _parser = new();
    private readonly byte[] _buffer = new byte[Gap + SliceSize];
    private Fletcher4Stream _sum = new(checksum);
    private bool _keeps;
    private int _start;
    private int _end;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        while (_start == _end)
        {
            var count = second.Read(_buffer, Gap, SliceSize);
            if (count == 0)
            {
                _parser.EnsureComplete();
                Invariant.Require(_keeps, "the rest of a stream ends with its END");
                return 0;
            }

            Edit(count);
        }

        var taken = _buffer.AsSpan(_start, Math.Min(buffer.Length, _end - _start));
        taken.CopyTo(buffer);
        _start += taken.Length;
        return taken.Length;
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Flush()
    {
        // Nothing is written.
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <summary>Verifies a slice, and keeps of it what the first part lacks.</summary>
    private void Edit(int count)
    {
        (_start, _end) = (0, 0);
        ReadOnlySpan<byte> input = _buffer.AsSpan(Gap, count);
        while (true)
        {
            var found = _parser.Read(ref input, out var payload);
            var position = Gap + count - input.Length;
            switch (found)
            {
                case ParserEvent.Record:
                    ChooseRecord();
                    if (_keeps)
                        SendStreamWriter.StampInSnapshot(
                            ref _sum,
                            _parser.Current.Type,
                            Keep(position - RecordHeader.Size, _parser.Current.Raw)
                        );
                    break;
                case ParserEvent.Payload when _keeps:
                    _sum.Append(payload);
                    _ = Keep(position - payload.Length, payload);
                    break;
                case ParserEvent.EndOfRecord when _parser.Current.Type == RecordType.Begin:
                    splice.Check(_parser.Begin!);
                    break;
                case ParserEvent.NeedMoreInput or ParserEvent.EndOfStream when input.IsEmpty:
                    return;
                default:
                    break;
            }
        }
    }

    private void ChooseRecord()
    {
        _keeps = false;
        if (_parser.Current.Type == RecordType.Begin)
            return;
        SendOrder.Demand(_parser);
        _keeps = !splice.IsRepeated(_parser.Position!.Value);
    }

    /// <summary>Moves bytes behind those that are kept before them; in most slices they are already there.</summary>
    private Span<byte> Keep(int position, ReadOnlySpan<byte> bytes)
    {
        if (_start == _end)
            (_start, _end) = (position, position);
        Invariant.Require(_end <= position, "bytes that are kept never overwrite bytes that are yet to be read");
        var slot = _buffer.AsSpan(_end, bytes.Length);
        if (_end != position || bytes.Length == RecordHeader.Size)
            bytes.CopyTo(slot); // a header's first bytes may have come with the slice before
        _end += bytes.Length;
        return slot;
    }
}
