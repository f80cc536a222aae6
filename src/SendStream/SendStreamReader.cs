using System.Buffers;

namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Pulls records out of a <see cref="Stream"/>, verifying them as <see cref="SendStreamParser"/> does, with one pooled
/// buffer:
/// <code>
/// while (await reader.ReadRecordAsync(token))
/// {
///     // reader.Current is the header
///     while (await reader.ReadPayloadAsync(token) is { IsEmpty: false } slice)
///         // a slice of the payload, good until the next call
/// }
/// </code>
/// Payloads that are not asked for are verified all the same. When <see cref="ReadRecord"/> returns false, the stream
/// was whole and nothing follows it. Not thread-safe.
/// </summary>
public sealed class SendStreamReader : IDisposable
{
    private const int BufferSize = 256 * 1024;

    private readonly Stream _source;
    private readonly bool _leaveOpen;
    private readonly SendStreamParser _parser;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
    private int _start;
    private int _end;
    private bool _inPayload;

    /// <summary>Reads a stream from its first byte.</summary>
    /// <param name="source">Where the bytes come from.</param>
    /// <param name="leaveOpen">Whether <paramref name="source"/> stays open when the reader is disposed.</param>
    public SendStreamReader(Stream source, bool leaveOpen = false)
        : this(source, new SendStreamParser(), leaveOpen) { }

    /// <summary>Reads a stream on from where a parser stands.</summary>
    /// <param name="source">Where the bytes come from that follow that place.</param>
    /// <param name="parser">The parser, at a record boundary; from now on the reader's.</param>
    /// <param name="leaveOpen">Whether <paramref name="source"/> stays open when the reader is disposed.</param>
    /// <exception cref="ArgumentException">The parser stands inside a record.</exception>
    public SendStreamReader(Stream source, SendStreamParser parser, bool leaveOpen = false)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(parser);
        if (!parser.IsAtBoundary)
            throw new ArgumentException("The parser stands inside a record.", nameof(parser));
        (_source, _parser, _leaveOpen) = (source, parser, leaveOpen);
    }

    /// <summary>The parser: positions, checksums, the BEGIN, the state. Only the reader may feed it.</summary>
    public SendStreamParser Parser => _parser;

    /// <summary>The header of the current record, good until the next call of <see cref="ReadRecord"/>.</summary>
    public RecordHeader Current => _parser.Current;

    /// <summary>
    /// Goes to the next record; what was not read of the current one's payload is skipped, but verified.
    /// </summary>
    /// <returns>Whether there is one; if not, the stream is whole and the source has ended.</returns>
    /// <exception cref="SendStreamException">The stream is faulty, ends early, or is followed by other
    /// data.</exception>
    public bool ReadRecord()
    {
        while (true)
        {
            switch (Advance(out _))
            {
                case ParserEvent.Record:
                    return _inPayload = true;
                case ParserEvent.NeedMoreInput or ParserEvent.EndOfStream when !Filled(_source.Read(_buffer)):
                    return false;
                default:
                    break;
            }
        }
    }

    /// <summary>The asynchronous <see cref="ReadRecord"/>.</summary>
    /// <param name="cancellationToken">Gives up waiting for the source.</param>
    /// <exception cref="SendStreamException">The stream is faulty, ends early, or is followed by other
    /// data.</exception>
    public ValueTask<bool> ReadRecordAsync(CancellationToken cancellationToken) =>
        ReadRecordAsync(mayEndBetween: false, cancellationToken);

    /// <summary>The same for records out of a stream.</summary>
    /// <param name="mayEndBetween">Whether the source may end between two records, and not only with the
    /// stream.</param>
    /// <param name="cancellationToken">Gives up waiting for the source.</param>
    internal async ValueTask<bool> ReadRecordAsync(bool mayEndBetween, CancellationToken cancellationToken)
    {
        while (true)
        {
            switch (Advance(out _))
            {
                case ParserEvent.Record:
                    return _inPayload = true;
                case ParserEvent.NeedMoreInput
                or ParserEvent.EndOfStream
                    when !Filled(
                        await _source.ReadAsync(_buffer, cancellationToken).ConfigureAwait(false),
                        mayEndBetween
                    ):
                    return false;
                default:
                    break;
            }
        }
    }

    /// <summary>The next slice of the current record's payload, good until the next call; empty at its end.</summary>
    /// <exception cref="SendStreamException">The stream is faulty or ends early.</exception>
    public ReadOnlyMemory<byte> ReadPayload()
    {
        while (_inPayload)
        {
            switch (Advance(out var slice))
            {
                case ParserEvent.Payload:
                    return slice;
                case ParserEvent.NeedMoreInput:
                    _ = Filled(_source.Read(_buffer));
                    break;
                default:
                    break;
            }
        }

        return default;
    }

    /// <summary>The asynchronous <see cref="ReadPayload"/>.</summary>
    /// <param name="cancellationToken">Gives up waiting for the source.</param>
    /// <exception cref="SendStreamException">The stream is faulty or ends early.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(CancellationToken cancellationToken)
    {
        while (_inPayload)
        {
            switch (Advance(out var slice))
            {
                case ParserEvent.Payload:
                    return slice;
                case ParserEvent.NeedMoreInput:
                    _ = Filled(await _source.ReadAsync(_buffer, cancellationToken).ConfigureAwait(false));
                    break;
                default:
                    break;
            }
        }

        return default;
    }

    /// <summary>
    /// Reads the current record to its end; of a BEGIN, what it says is known only then
    /// (<see cref="SendStreamParser.Begin"/>).
    /// </summary>
    /// <param name="cancellationToken">Gives up waiting for the source.</param>
    /// <exception cref="SendStreamException">The stream is faulty or ends early.</exception>
    public async ValueTask SkipPayloadAsync(CancellationToken cancellationToken)
    {
        while (!(await ReadPayloadAsync(cancellationToken).ConfigureAwait(false)).IsEmpty)
        {
            // The parser verifies what is skipped.
        }
    }

    /// <summary>Gives the buffer back, and closes the source unless it was to stay open.</summary>
    public void Dispose()
    {
        if (_buffer.Length == 0)
            return;
        ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, _start, _end) = ([], 0, 0);
        if (!_leaveOpen)
            _source.Dispose();
    }

    private ParserEvent Advance(out ReadOnlyMemory<byte> slice)
    {
        ObjectDisposedException.ThrowIf(_buffer.Length == 0, this);
        ReadOnlySpan<byte> input = _buffer.AsSpan(_start, _end - _start);
        var found = _parser.Read(ref input, out var payload);
        _start = _end - input.Length;
        slice = _buffer.AsMemory(_start - payload.Length, payload.Length);
        if (found == ParserEvent.EndOfRecord)
            _inPayload = false;
        return found;
    }

    /// <summary>Notes what was read into the empty buffer; if it was nothing, the stream must be complete.</summary>
    private bool Filled(int count, bool mayEndBetween = false)
    {
        (_start, _end) = (0, count);
        if (count == 0 && !(mayEndBetween && _parser.IsAtBoundary))
            _parser.EnsureComplete();
        return count != 0;
    }
}
