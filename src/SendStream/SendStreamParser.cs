using System.Runtime.ExceptionServices;
using ZfsSnapshotManager.SendStream.NvLists;

namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Reads a ZFS send stream record by record and verifies all of it: structure, every checksum, every GUID, the ranges
/// of all fields. It does no I/O: bytes are passed to <see cref="Read"/>, in slices of any size, which returns events.
/// It holds one header and, while it arrives, the payload of a BEGIN (up to 64 MiB, and at most twice what arrived);
/// other payloads are not copied. Not thread-safe. After a fault every further call throws the same exception.
/// </summary>
public sealed class SendStreamParser
{
    /// <summary>The most bytes of payload that a BEGIN has in any stream.</summary>
    public const int LargestBeginPayload = StreamLimits.BeginPayload;

    private readonly byte[] _header = new byte[RecordHeader.Size];
    private readonly PayloadBuffer _beginPayload = new();
    private int _headerFilled;
    private long _payloadLeft;
    private bool _inRecord;
    private Fletcher4Stream _sum;
    private RecordOrder _order;
    private SendStreamException? _fault;

    /// <summary>Starts before the first byte of a stream.</summary>
    public SendStreamParser()
        : this(ParserState.Start) { }

    private SendStreamParser(ParserState state)
    {
        Phase = state.Phase;
        StreamOffset = state.StreamOffset;
        RecordCount = state.RecordCount;
        RecordIndex = state.RecordCount - 1;
        RecordOffset = state.StreamOffset;
        Begin = state.Begin;
        Snapshot = state.Snapshot;
        _sum = new Fletcher4Stream(state.Checksum);
        ChecksumBefore = state.Checksum;
        _order = new RecordOrder
        {
            LastWriteObject = state.LastWriteObject,
            LastWriteOffset = state.LastWriteOffset,
            ObjectRange = state.ObjectRange,
            Position = state.Position,
            ResumePoint = state.ResumePoint,
            ResumeBytes = state.ResumeBytes,
            EndsWithWrite = state.EndsWithWrite,
            IsOutOfOrder = state.IsOutOfOrder,
        };
    }

    /// <summary>
    /// The header of the current record: from <see cref="ParserEvent.Record"/> until the call of <see cref="Read"/>
    /// that follows its <see cref="ParserEvent.EndOfRecord"/>. The view shares the parser's buffer; do not keep it.
    /// </summary>
    public RecordHeader Current => new(_header);

    /// <summary>Number of the current record, counted from 0; -1 before the first.</summary>
    public long RecordIndex { get; private set; }

    /// <summary>Where the current record's header begins, in bytes from the start of the stream.</summary>
    public long RecordOffset { get; private set; }

    /// <summary>Records that were read to their end.</summary>
    public long RecordCount { get; private set; }

    /// <summary>Bytes consumed, from the start of the stream.</summary>
    public long StreamOffset { get; private set; }

    /// <summary>
    /// The running checksum after what was consumed; inside a payload, after its last whole word of 4 bytes. At a
    /// boundary inside a package but between snapshots it is 0.
    /// </summary>
    public Fletcher4 Checksum => _sum.State;

    /// <summary>The running checksum before the current record's header; 0 for a BEGIN.</summary>
    public Fletcher4 ChecksumBefore { get; private set; }

    /// <summary>The phase in which the parser stands; inside a record, the phase before it.</summary>
    public StreamPhase Phase { get; private set; }

    /// <summary>Whether the last END was read.</summary>
    public bool IsComplete => Phase == StreamPhase.End;

    /// <summary>Whether the parser stands between two records (or before the first, or after the last).</summary>
    public bool IsAtBoundary => _headerFilled == 0 && !_inRecord;

    /// <summary>
    /// Bytes up to the end of the current record, as far as known: while its header arrives, those of the header. 0 at
    /// a boundary.
    /// </summary>
    public long RecordLeft
    {
        get
        {
            if (_inRecord)
                return _payloadLeft;
            return _headerFilled == 0 ? 0 : RecordHeader.Size - _headerFilled;
        }
    }

    /// <summary>
    /// The first BEGIN of the stream, once it was read with its payload; for a package, the package's.
    /// </summary>
    public SnapshotStreamInfo? Begin { get; private set; }

    /// <summary>
    /// The last snapshot's BEGIN that was read with its payload; for a plain stream the same as <see cref="Begin"/>.
    /// </summary>
    public SnapshotStreamInfo? Snapshot { get; private set; }

    /// <summary>The payload of the last BEGIN that was read; null if it had none, or was released.</summary>
    public NvList? BeginPayload { get; private set; }

    /// <summary>
    /// The most bytes of payload that a BEGIN may have, for readers that do not trust the sender: as a list it takes
    /// several times as much memory. By default <see cref="LargestBeginPayload"/>.
    /// </summary>
    public int MaxBeginPayload { get; set; } = LargestBeginPayload;

    /// <summary>
    /// Position of the current record of a snapshot's stream in the order of sending; null before the first and at a
    /// BEGIN.
    /// </summary>
    public RecordPosition? Position => _order.Position;

    /// <summary>See <see cref="ParserState.FollowsSendOrder"/>; the current record counts.</summary>
    public bool FollowsSendOrder => !_order.IsOutOfOrder;

    /// <summary>What <see cref="Resume"/> needs to continue from here.</summary>
    /// <exception cref="InvalidOperationException">The parser does not stand at a record boundary, or found a
    /// fault.</exception>
    public ParserState State =>
        IsAtBoundary && _fault is null
            ? new ParserState
            {
                Phase = Phase,
                StreamOffset = StreamOffset,
                RecordCount = RecordCount,
                Checksum = Checksum,
                Begin = Begin,
                Snapshot = Snapshot,
                LastWriteObject = _order.LastWriteObject,
                LastWriteOffset = _order.LastWriteOffset,
                ObjectRange = _order.ObjectRange,
                Position = _order.Position,
                ResumePoint = _order.ResumePoint,
                ResumeBytes = _order.ResumeBytes,
                EndsWithWrite = _order.EndsWithWrite,
                IsOutOfOrder = _order.IsOutOfOrder,
            }
            : throw new InvalidOperationException(
                "A parser has a state only at a record boundary, and only without a fault."
            );

    /// <summary>Creates a parser that continues at the record boundary where another one stopped.</summary>
    /// <param name="state">That parser's <see cref="State"/>.</param>
    /// <exception cref="ArgumentException">The state is inside a snapshot's stream but does not name the snapshot, or a
    /// count is negative.</exception>
    public static SendStreamParser Resume(ParserState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (state is { StreamOffset: < 0 } or { RecordCount: < 0 })
            throw new ArgumentException("A state has no negative offset or count.", nameof(state));
        if (StreamGrammar.IsInSnapshot(state.Phase) && state.Snapshot is null)
            throw new ArgumentException($"A state in phase {state.Phase} needs the snapshot's BEGIN.", nameof(state));
        return new SendStreamParser(state);
    }

    /// <summary>Lets go of <see cref="BeginPayload"/>: the facts of BEGIN have been read from it.</summary>
    public void ReleaseBeginPayload() => BeginPayload = null;

    /// <summary>Reads up to the next event.</summary>
    /// <param name="input">The next bytes of the stream; what was consumed is cut off.</param>
    /// <param name="payload">With <see cref="ParserEvent.Payload"/>, the slice of the input that is payload; otherwise
    /// empty.</param>
    /// <returns>
    /// The event. With <see cref="ParserEvent.NeedMoreInput"/> and <see cref="ParserEvent.EndOfStream"/> the input is
    /// used up.
    /// </returns>
    /// <exception cref="SendStreamException">The stream is faulty.</exception>
    public ParserEvent Read(ref ReadOnlySpan<byte> input, out ReadOnlySpan<byte> payload)
    {
        payload = default;
        ThrowIfFaulty();
        if (_inRecord)
            return ReadRest(ref input, out payload);
        if (!IsComplete)
            return ReadHeader(ref input);
        return input.IsEmpty
            ? ParserEvent.EndOfStream
            : throw Fault(
                SendStreamError.DataAfterEnd,
                "the stream has ended, but more bytes follow",
                RecordCount,
                StreamOffset
            );
    }

    /// <summary>Ends the input.</summary>
    /// <exception cref="SendStreamException">The stream is faulty, or it has not ended
    /// (<see cref="SendStreamError.EndsEarly"/>).</exception>
    public void EnsureComplete()
    {
        ThrowIfFaulty();
        if (!IsComplete || _inRecord)
            throw Fault(SendStreamError.EndsEarly, "the stream ends early: " + Missing(), RecordCount, StreamOffset);
    }

    /// <summary>Throws the first fault again, with the stack of its first time.</summary>
    private void ThrowIfFaulty()
    {
        if (_fault is not null)
            ExceptionDispatchInfo.Throw(_fault);
    }

    private ParserEvent ReadHeader(ref ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
            return ParserEvent.NeedMoreInput;
        if (_headerFilled == 0)
        {
            RecordIndex = RecordCount;
            RecordOffset = StreamOffset;
        }

        var taken = input[..Math.Min(input.Length, RecordHeader.Size - _headerFilled)];
        taken.CopyTo(_header.AsSpan(_headerFilled));
        input = input[taken.Length..];
        StreamOffset += taken.Length;
        _headerFilled += taken.Length;
        if (_headerFilled < RecordHeader.Size)
        {
            if (Phase == StreamPhase.Start)
                Refuse(StreamSignature.Judge(_header.AsSpan(0, _headerFilled)));
            return ParserEvent.NeedMoreInput;
        }

        Accept(Current);
        _inRecord = true;
        return ParserEvent.Record;
    }

    private void Accept(RecordHeader header)
    {
        Refuse(StreamGrammar.Judge(Phase, header));
        if (header.Type == RecordType.Begin)
            AcceptBegin(header);
        else if (StreamGrammar.IsInSnapshot(Phase))
            AcceptInSnapshot(header, Snapshot!);
        else
            AcceptPackageEnd(header);
        _payloadLeft = header.PayloadLength;
    }

    private void AcceptBegin(RecordHeader header)
    {
        Refuse(BeginRules.Judge(header.AsBegin(), header.DeclaredPayloadLength, MaxBeginPayload));
        ChecksumBefore = default;
        _order = default;
        _sum = default;
        _sum.Append(header.Raw);
        _beginPayload.Start(header.DeclaredPayloadLength);
    }

    /// <summary>
    /// The checksum comes first: the fields mean something only if these are the bytes that were sent.
    /// </summary>
    private void AcceptInSnapshot(RecordHeader header, SnapshotStreamInfo begin)
    {
        ChecksumBefore = Checksum;
        if (
            Phase == StreamPhase.PackageSnapshot
            && header.Type == RecordType.End
            && header.StoredChecksum.IsZero
            && header.SnapshotGuid == 0
        )
            throw Fault(
                SendStreamError.EndsEarly,
                $"the stream of {begin.FullSnapshotName} has no END before the one that closes the package"
            );

        _sum.Append(header.Raw[..StreamLimits.ChecksumOffset]);
        if (header.StoredChecksum != Checksum)
            throw Fault(
                SendStreamError.ChecksumMismatch,
                $"the record's checksum is {header.StoredChecksum}; expected {Checksum}"
            );
        _sum.Append(header.Raw[StreamLimits.ChecksumOffset..]);

        var (type, guid) = (header.Type, header.SnapshotGuid);
        if ((uint)type >= StreamLimits.RecordTypes)
            throw Fault(
                SendStreamError.UnknownRecordType,
                $"the record has type {(uint)type}; expected less than {StreamLimits.RecordTypes}"
            );
        if (guid != begin.SnapshotGuid)
            throw Fault(
                SendStreamError.GuidMismatch,
                $"{RecordHeader.NameOf(type)} belongs to GUID {guid}; expected {begin.SnapshotGuid}"
            );
        if (type == RecordType.End && header.AsEnd().Checksum != ChecksumBefore)
            throw Fault(
                SendStreamError.ChecksumMismatch,
                $"END gives checksum {header.AsEnd().Checksum}; expected {ChecksumBefore}"
            );
        Refuse(RecordRules.Judge(header, begin));
        Refuse(_order.Add(header, StreamOffset + header.PayloadLength, begin.IsRaw));
    }

    private void AcceptPackageEnd(RecordHeader header)
    {
        ChecksumBefore = Checksum;
        Refuse(StreamGrammar.JudgePackageEnd(header, Checksum));
        _sum = default;
    }

    private ParserEvent ReadRest(ref ReadOnlySpan<byte> input, out ReadOnlySpan<byte> payload)
    {
        payload = default;
        if (_payloadLeft == 0)
        {
            Finish(Current);
            return ParserEvent.EndOfRecord;
        }

        if (input.IsEmpty)
            return ParserEvent.NeedMoreInput;
        payload = input[..(int)Math.Min(input.Length, _payloadLeft)];
        input = input[payload.Length..];
        StreamOffset += payload.Length;
        _payloadLeft -= payload.Length;
        _sum.Append(payload);
        if (Current.Type == RecordType.Begin)
            _beginPayload.Append(payload);
        return ParserEvent.Payload;
    }

    private void Finish(RecordHeader header)
    {
        if (header.Type == RecordType.Begin)
            FinishBegin(header);
        Phase = StreamGrammar.Next(Phase, header);
        if (header.Type == RecordType.End && Phase == StreamPhase.Package)
            _sum = default; // each snapshot's stream sums from its own BEGIN
        RecordCount++;
        _headerFilled = 0;
        _inRecord = false;
    }

    private void FinishBegin(RecordHeader header)
    {
        try
        {
            BeginPayload = header.DeclaredPayloadLength == 0 ? null : NvList.Unpack(_beginPayload.Bytes);
        }
        catch (FormatException fault)
        {
            throw Fault(SendStreamError.BadRecord, $"the payload of BEGIN is {fault.Message}", fault);
        }
        finally
        {
            _beginPayload.Clear();
        }

        var begin = header.AsBegin();
        Refuse(BeginRules.JudgePayload(begin, BeginPayload));
        var facts = BeginRules.Read(begin, BeginPayload);
        Begin ??= facts;
        if (!BeginRules.IsPackage(begin))
            Snapshot = facts;
    }

    private string Missing()
    {
        if (_inRecord)
        {
            var (name, length) = (RecordHeader.NameOf(Current.Type), Current.PayloadLength);
            return $"{name} has a payload of {length} bytes, of which {length - _payloadLeft} arrived";
        }

        if (_headerFilled > 0)
            return $"a record's header has {RecordHeader.Size} bytes, of which {_headerFilled} arrived";
        return RecordCount == 0
            ? "the input is empty; expected a BEGIN record"
            : "the next record is missing; expected END at the latest";
    }

    private void Refuse(RecordFault? fault)
    {
        if (fault is { } found)
            throw Fault(found.Error, found.Reason);
    }

    private SendStreamException Fault(SendStreamError fault, string reason, Exception? cause = null) =>
        Fault(fault, reason, RecordIndex, RecordOffset, cause);

    private SendStreamException Fault(
        SendStreamError fault,
        string reason,
        long index,
        long offset,
        Exception? cause = null
    )
    {
        _fault = new SendStreamException(fault, index, offset, reason, cause);
        return _fault;
    }
}
