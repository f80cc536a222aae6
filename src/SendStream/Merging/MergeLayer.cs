using ZfsSnapshotManager.SendStream.NvLists;
using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.SendStream.Merging;

/// <summary>
/// One of the streams to merge, read once from its beginning to its end. It stands at a run of freed objects, at an
/// object, inside an object's records, or at its end. Memory: the reader's buffer and a few headers.
/// </summary>
internal sealed class MergeLayer(int index, Stream source) : IDisposable
{
    /// <summary>Its position among the streams; 0 is the oldest.</summary>
    public int Index { get; } = index;

    /// <summary>The records; <see cref="SendStreamReader.Current"/> is the one where the layer stands.</summary>
    public SendStreamReader Reader { get; } = new(source, leaveOpen: true);

    /// <summary>Its BEGIN, in a buffer that may be changed.</summary>
    public EditableRecord BeginRecord { get; } = new();

    /// <summary>The contents of its BEGIN.</summary>
    public SnapshotStreamInfo Begin => Reader.Parser.Begin!;

    /// <summary>The payload of its BEGIN; null if it has none.</summary>
    public NvList? BeginPayload { get; private set; }

    /// <summary>The last OBJECT_RANGE of a raw stream.</summary>
    public EditableRecord Range { get; } = new();

    /// <summary>Whether the last END was read.</summary>
    public bool IsAtEnd { get; private set; }

    /// <summary>Whether it stands at an OBJECT; otherwise, unless at the end, at a run of freed objects.</summary>
    public bool IsObject { get; private set; }

    /// <summary>First object number of what it stands at.</summary>
    public ulong First { get; private set; }

    /// <summary>The number behind the last one of what it stands at.</summary>
    public ulong End { get; private set; }

    /// <summary>
    /// The number after all that was passed. An object occupies all its slots: older layers' objects there are gone.
    /// </summary>
    public ulong PassedUntil { get; private set; }

    /// <summary>Inside an object: the stage of the current record; null after the object's last record.</summary>
    public RecordStage? Stage { get; private set; }

    /// <summary>
    /// Inside an object: where its FREE to the end begins, in bytes; <see cref="ulong.MaxValue"/> without one.
    /// </summary>
    public ulong TailStart { get; private set; }

    /// <summary>At data of an object: where the range begins, in bytes.</summary>
    public ulong DataStart { get; private set; }

    /// <summary>At data of an object: where the range ends; <see cref="ulong.MaxValue"/>: with the object.</summary>
    public ulong DataEnd { get; private set; }

    /// <summary>
    /// Inside an object: the offset up to which data were passed, the rest of the current record not included.
    /// </summary>
    public ulong PassedEnd { get; private set; }

    /// <summary>Whether it stands at the OBJECT of this number.</summary>
    public bool HasObject(ulong number) => !IsAtEnd && IsObject && First == number;

    /// <summary>
    /// The end of the run of freed numbers that includes this one; not above the number if it does not free it.
    /// </summary>
    public ulong FreedUntil(ulong number) =>
        !IsAtEnd && !IsObject && First <= number ? Math.Max(End, PassedUntil) : PassedUntil;

    /// <summary>Reads the BEGIN.</summary>
    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        _ = await Reader.ReadRecordAsync(cancellationToken).ConfigureAwait(false);
        _ = BeginRecord.Load(Reader.Current);
        await Reader.SkipPayloadAsync(cancellationToken).ConfigureAwait(false);
        BeginPayload = Reader.Parser.BeginPayload;
    }

    /// <summary>Advances to the first object or run of freed objects after the BEGIN.</summary>
    public async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        await NextRecordAsync(cancellationToken).ConfigureAwait(false);
        await NoteNextAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Passes all objects below a number.</summary>
    public async ValueTask SkipToAsync(ulong number, CancellationToken cancellationToken)
    {
        while (!IsAtEnd && (IsObject ? First < number : End <= number))
        {
            if (IsObject)
                await SkipObjectAsync(cancellationToken).ConfigureAwait(false);
            else
                await StartAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Passes the object at which, or inside whose records, it stands.</summary>
    public async ValueTask SkipObjectAsync(CancellationToken cancellationToken)
    {
        do
        {
            await NextRecordAsync(cancellationToken).ConfigureAwait(false);
        } while (!IsAtEnd && BelongsTo(Reader.Current, First));

        await NoteNextAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Advances from an OBJECT to the first of its records after the FREE to the end, whose offset is noted.
    /// </summary>
    public async ValueTask EnterObjectAsync(CancellationToken cancellationToken)
    {
        (TailStart, PassedEnd, DataEnd) = (ulong.MaxValue, 0, 0);
        await NextInObjectAsync(cancellationToken).ConfigureAwait(false);
        if (Stage != RecordStage.TailFree)
            return;
        TailStart = Reader.Current.AsFree().Offset;
        await NextInObjectAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Advances to the next record of the object; after the last one, to the next object.</summary>
    public async ValueTask NextInObjectAsync(CancellationToken cancellationToken)
    {
        PassedEnd = DataEnd;
        await NextRecordAsync(cancellationToken).ConfigureAwait(false);
        if (IsAtEnd || !BelongsTo(Reader.Current, First))
        {
            Stage = null;
            await NoteNextAsync(cancellationToken).ConfigureAwait(false);
            return;
        }

        Stage = Reader.Parser.Position!.Value.Stage;
        if (Stage == RecordStage.Data)
            NoteData(Reader.Current);
    }

    /// <summary>Passes the first bytes of the range at which it stands, a FREE.</summary>
    /// <param name="start">Where the rest begins.</param>
    public void ClipData(ulong start) => (DataStart, PassedEnd) = (start, start);

    /// <summary>A fault of this stream, at the current record.</summary>
    public SendStreamException Fault(string reason) =>
        new(
            SendStreamError.UnexpectedRecord,
            Reader.Parser.RecordIndex,
            Reader.Parser.RecordOffset,
            $"stream {Index + 1} cannot be merged: {reason}"
        );

    public void Dispose() => Reader.Dispose();

    private static bool BelongsTo(RecordHeader header, ulong number) =>
        header.Type switch
        {
            RecordType.Write => header.AsWrite().Object == number,
            RecordType.Free => header.AsFree().Object == number,
            RecordType.WriteEmbedded => header.AsWriteEmbedded().Object == number,
            RecordType.Spill => header.AsSpill().Object == number,
            _ => false,
        };

    private async ValueTask NextRecordAsync(CancellationToken cancellationToken)
    {
        PassedUntil = End;
        await Reader.ReadRecordAsync(cancellationToken).ConfigureAwait(false);
        if (Reader.Current.Type != RecordType.End)
            return;
        if (await Reader.ReadRecordAsync(cancellationToken).ConfigureAwait(false))
            throw Fault("a record follows its END");
        IsAtEnd = true;
    }

    /// <summary>
    /// Notes the object or the run of freed objects at which it stands; an OBJECT_RANGE is kept for the objects that
    /// follow.
    /// </summary>
    private async ValueTask NoteNextAsync(CancellationToken cancellationToken)
    {
        while (!IsAtEnd && Reader.Current.Type == RecordType.ObjectRange)
        {
            _ = Range.Load(Reader.Current);
            await NextRecordAsync(cancellationToken).ConfigureAwait(false);
        }

        if (!IsAtEnd)
            NoteObjects(Reader.Current);
    }

    private void NoteObjects(RecordHeader header)
    {
        IsObject = header.Type == RecordType.Object;
        (First, End) = header.Type switch
        {
            RecordType.Object => RunOf(header.AsObject().Object, Math.Max(header.AsObject().DnodeSlots, (byte)1)),
            RecordType.FreeObjects => RunOf(header.AsFreeObjects().FirstObject, header.AsFreeObjects().ObjectCount),
            _ => throw Fault($"{RecordHeader.NameOf(header.Type)} does not follow the OBJECT it belongs to"),
        };
        if (First == End)
            throw Fault($"FREEOBJECTS at {First} frees no object");
        if (First < PassedUntil)
            throw Fault($"object {First} follows {PassedUntil - 1}; expected ascending order");
    }

    private (ulong First, ulong End) RunOf(ulong first, ulong count) =>
        count <= ulong.MaxValue - first
            ? (first, first + count)
            : throw Fault($"object {first} is beyond the largest number");

    private void NoteData(RecordHeader header)
    {
        (DataStart, var length) = header.Type switch
        {
            RecordType.Write => (header.AsWrite().Offset, header.AsWrite().LogicalSize),
            RecordType.WriteEmbedded => (header.AsWriteEmbedded().Offset, header.AsWriteEmbedded().Length),
            RecordType.Free => (header.AsFree().Offset, header.AsFree().Length),
            _ => throw Fault($"{RecordHeader.NameOf(header.Type)} holds no data"),
        };
        if (length == 0)
            throw Fault($"{RecordHeader.NameOf(header.Type)} of object {First} at {DataStart} covers no bytes");
        DataEnd = length == ulong.MaxValue ? ulong.MaxValue : DataStart + length;
        if (DataStart < PassedEnd)
            throw Fault(
                $"{RecordHeader.NameOf(header.Type)} of object {First} at {DataStart} overlaps the record before it"
            );
    }
}
