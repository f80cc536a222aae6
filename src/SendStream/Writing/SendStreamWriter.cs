using System.Buffers;

namespace ZfsSnapshotManager.SendStream.Writing;

/// <summary>
/// Writes records as a send stream, and fills in all checksums: <c>drr_checksum</c> of every record and the one that
/// END carries. All other fields are written as they are given. Records that were read are written back byte for byte.
/// Not thread-safe. Source: OpenZFS module/zfs/dmu_send.c, dump_record, dmu_send_impl; lib/libzfs/libzfs_sendrecv.c,
/// send_conclusion_record.
/// </summary>
public sealed class SendStreamWriter
{
    private readonly IBufferWriter<byte> _output;
    private Fletcher4Stream _sum;
    private StreamPhase _phase = StreamPhase.Start;
    private long _payloadLeft;

    /// <summary>Starts before the first byte of a stream.</summary>
    /// <param name="output">The destination; the caller flushes it.</param>
    public SendStreamWriter(IBufferWriter<byte> output) => _output = output;

    /// <summary>Continues after records that were written before.</summary>
    /// <param name="output">The destination; the caller flushes it.</param>
    /// <param name="after">A parser's state after those records.</param>
    public SendStreamWriter(IBufferWriter<byte> output, ParserState after)
        : this(output)
    {
        ArgumentNullException.ThrowIfNull(after);
        (_phase, _sum, Length) = (after.Phase, new Fletcher4Stream(after.Checksum), after.StreamOffset);
    }

    /// <summary>Bytes of the stream so far, those written before included.</summary>
    public long Length { get; private set; }

    /// <summary>The running checksum so far; 0 in a package between snapshots.</summary>
    public Fletcher4 Checksum => _sum.State;

    /// <summary>Whether the last END was written.</summary>
    public bool IsComplete => _phase == StreamPhase.End;

    /// <summary>Writes a header; its payload must follow.</summary>
    /// <param name="header">The header; its checksums are ignored.</param>
    /// <exception cref="InvalidOperationException">The payload before it is not complete, or no such record is allowed
    /// here.</exception>
    public void WriteHeader(RecordHeader header)
    {
        if (_payloadLeft != 0)
            throw new InvalidOperationException($"{_payloadLeft} bytes of the last record's payload are missing.");
        if (IsComplete)
            throw new InvalidOperationException("The stream has ended.");
        if (StreamGrammar.Judge(_phase, header) is { } fault)
            throw new InvalidOperationException($"No such record can be written here: {fault.Reason}.");

        var slot = _output.GetSpan(RecordHeader.Size)[..RecordHeader.Size];
        header.Raw.CopyTo(slot);
        if (header.Type == RecordType.Begin)
            StampBegin(slot);
        else if (StreamGrammar.IsInSnapshot(_phase))
            StampInSnapshot(ref _sum, header.Type, slot);
        else
            StampPackageEnd(slot);
        _output.Advance(RecordHeader.Size);
        Length += RecordHeader.Size;
        _payloadLeft = header.PayloadLength;
        Next(header);
    }

    /// <summary>Writes the next bytes of the last header's payload.</summary>
    /// <param name="slice">The bytes.</param>
    /// <exception cref="InvalidOperationException">The payload would be longer than its header says.</exception>
    public void WritePayload(ReadOnlySpan<byte> slice)
    {
        if (slice.Length > _payloadLeft)
            throw new InvalidOperationException(
                $"The payload has {_payloadLeft} bytes left; {slice.Length} were given."
            );
        _sum.Append(slice);
        _output.Write(slice);
        _payloadLeft -= slice.Length;
        Length += slice.Length;
    }

    /// <summary>
    /// Fills in the checksums of a header inside a snapshot's stream, and advances the sum behind it.
    /// </summary>
    internal static void StampInSnapshot(ref Fletcher4Stream sum, RecordType type, Span<byte> header)
    {
        if (type == RecordType.End)
            sum.State.WriteTo(header[RecordHeader.FieldsOffset..]);
        sum.Append(header[..StreamLimits.ChecksumOffset]);
        sum.State.WriteTo(header[StreamLimits.ChecksumOffset..]);
        sum.Append(header[StreamLimits.ChecksumOffset..]);
    }

    private void StampBegin(Span<byte> header)
    {
        _sum = default;
        _sum.Append(header);
    }

    /// <summary>
    /// The END of a package's header carries the checksum of the bytes before it; the last one, after all snapshots,
    /// zeros.
    /// </summary>
    private void StampPackageEnd(Span<byte> header) => Checksum.WriteTo(header[RecordHeader.FieldsOffset..]);

    private void Next(RecordHeader header)
    {
        _phase = StreamGrammar.Next(_phase, header);
        if (header.Type == RecordType.End && _phase is StreamPhase.Package or StreamPhase.End)
            _sum = default;
    }
}
