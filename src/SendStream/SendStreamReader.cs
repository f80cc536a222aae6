using System.Buffers;
using System.Runtime.CompilerServices;

namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Pulls records out of a <see cref="Stream"/>, verifying them as <see cref="SendStreamParser"/> does, with one pooled
/// buffer of 256 KiB:
/// <code>
/// await foreach (var record in reader.ReadRecordsAsync())
/// {
///     if (record.Type == RecordType.Write)
///         Console.WriteLine(record.Header.AsWrite().Object);
/// }
/// </code>
/// Payloads that are not read are verified all the same. When <see cref="ReadRecord"/> returns false, the stream was
/// complete and nothing follows it. Not thread-safe.
/// </summary>
public sealed class SendStreamReader : IDisposable, IAsyncDisposable
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
    /// <param name="source">The stream.</param>
    /// <param name="leaveOpen">Whether <paramref name="source"/> stays open when the reader is disposed.</param>
    public SendStreamReader(Stream source, bool leaveOpen = false)
        : this(source, new SendStreamParser(), leaveOpen) { }

    /// <summary>Reads a stream from the boundary at which a parser stands.</summary>
    /// <param name="source">The bytes that follow that boundary.</param>
    /// <param name="parser">The parser, at a record boundary; from now on only the reader may feed it.</param>
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

    /// <summary>The header of the current record, valid until the next call of <see cref="ReadRecord"/>.</summary>
    public RecordHeader Current => _parser.Current;

    /// <summary>
    /// Advances to the next record; what was not read of the current payload is skipped, but verified.
    /// </summary>
    /// <returns>Whether a record follows; if not, the stream is complete and the source has ended.</returns>
    /// <exception cref="SendStreamException">The stream is faulty, ends early, or is followed by other
    /// data.</exception>
    public bool ReadRecord()
    {
        while (true)
        {
            switch (Advance(out _))
            {
                case ParserEvent.Record:
                    _inPayload = true;
                    return true;
                case ParserEvent.NeedMoreInput or ParserEvent.EndOfStream when !Filled(_source.Read(_buffer)):
                    return false;
                default:
                    break;
            }
        }
    }

    /// <summary>The asynchronous <see cref="ReadRecord"/>.</summary>
    /// <param name="cancellationToken">Stops waiting for the source.</param>
    /// <exception cref="SendStreamException">The stream is faulty, ends early, or is followed by other
    /// data.</exception>
    public ValueTask<bool> ReadRecordAsync(CancellationToken cancellationToken = default) =>
        ReadRecordAsync(mayEndBetween: false, cancellationToken);

    /// <summary>
    /// All records from the current position to the end of the stream. When the enumeration ends by itself, the stream
    /// was complete and nothing follows it.
    /// </summary>
    /// <param name="cancellationToken">Stops waiting for the source.</param>
    /// <returns>The records; each is valid until the next one is asked for.</returns>
    /// <exception cref="SendStreamException">The stream is faulty, ends early, or is followed by other
    /// data.</exception>
    public async IAsyncEnumerable<SendStreamRecord> ReadRecordsAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken = default
    )
    {
        while (await ReadRecordAsync(cancellationToken).ConfigureAwait(false))
            yield return new SendStreamRecord(this);
    }

    /// <summary>The same for records out of a stream.</summary>
    /// <param name="mayEndBetween">Whether the source may end between two records, and not only with the
    /// stream.</param>
    /// <param name="cancellationToken">Stops waiting for the source.</param>
    internal async ValueTask<bool> ReadRecordAsync(bool mayEndBetween, CancellationToken cancellationToken)
    {
        while (true)
        {
            switch (Advance(out _))
            {
                case ParserEvent.Record:
                    _inPayload = true;
                    return true;
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

    /// <summary>
    /// The next slice of the current record's payload, up to 256 KiB, valid until the next call; empty at its end.
    /// </summary>
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
    /// <param name="cancellationToken">Stops waiting for the source.</param>
    /// <exception cref="SendStreamException">The stream is faulty or ends early.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(CancellationToken cancellationToken = default)
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
    /// Reads what is left of the current record's payload into one array: up to 16 MiB, of a BEGIN up to 64 MiB. Memory
    /// grows with the bytes that arrive, not with the length that the header announces.
    /// </summary>
    /// <returns>The payload; empty if the record has none.</returns>
    /// <exception cref="SendStreamException">The stream is faulty or ends early.</exception>
    public byte[] ReadWholePayload()
    {
        var payload = StartPayload();
        while (ReadPayload() is { IsEmpty: false } slice)
            payload.Append(slice.Span);
        return payload.Bytes.ToArray();
    }

    /// <summary>The asynchronous <see cref="ReadWholePayload"/>.</summary>
    /// <param name="cancellationToken">Stops waiting for the source.</param>
    /// <returns>The payload; empty if the record has none.</returns>
    /// <exception cref="SendStreamException">The stream is faulty or ends early.</exception>
    public async ValueTask<byte[]> ReadWholePayloadAsync(CancellationToken cancellationToken = default)
    {
        var payload = StartPayload();
        while (await ReadPayloadAsync(cancellationToken).ConfigureAwait(false) is { IsEmpty: false } slice)
            payload.Append(slice.Span);
        return payload.Bytes.ToArray();
    }

    /// <summary>
    /// Reads the current record to its end; only then is known what a BEGIN says
    /// (<see cref="SendStreamParser.Begin"/>).
    /// </summary>
    /// <exception cref="SendStreamException">The stream is faulty or ends early.</exception>
    public void SkipPayload()
    {
        ReadOnlyMemory<byte> skipped;
        do skipped = ReadPayload(); // the parser verifies it
        while (!skipped.IsEmpty);
    }

    /// <summary>The asynchronous <see cref="SkipPayload"/>.</summary>
    /// <param name="cancellationToken">Stops waiting for the source.</param>
    /// <exception cref="SendStreamException">The stream is faulty or ends early.</exception>
    public async ValueTask SkipPayloadAsync(CancellationToken cancellationToken = default)
    {
        ReadOnlyMemory<byte> skipped;
        do skipped = await ReadPayloadAsync(cancellationToken).ConfigureAwait(false); // the parser verifies it
        while (!skipped.IsEmpty);
    }

    /// <summary>Returns the buffer to its pool, and closes the source unless it was to stay open.</summary>
    public void Dispose()
    {
        if (ReturnBuffer() && !_leaveOpen)
            _source.Dispose();
    }

    /// <summary>The asynchronous <see cref="Dispose"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        if (ReturnBuffer() && !_leaveOpen)
            await _source.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Returns the buffer to its pool; false if that was done before.</summary>
    private bool ReturnBuffer()
    {
        if (_buffer.Length == 0)
            return false;
        ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, _start, _end) = ([], 0, 0);
        return true;
    }

    private PayloadBuffer StartPayload()
    {
        var payload = new PayloadBuffer();
        payload.Start((uint)(_inPayload ? _parser.RecordLeft : 0));
        return payload;
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
