namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// The order of records inside one snapshot's stream, as <c>zfs receive</c> demands it: WRITE records ascend by object
/// and offset (module/zfs/dmu_recv.c, receive_process_write_record), and every OBJECT of a raw stream lies in the last
/// OBJECT_RANGE before it (receive_object).
/// </summary>
internal struct RecordOrder
{
    /// <summary>Object of the last WRITE; 0 before the first.</summary>
    public ulong LastWriteObject { get; set; }

    /// <summary>Offset of the last WRITE in its object, in bytes.</summary>
    public ulong LastWriteOffset { get; set; }

    /// <summary>First object of the last OBJECT_RANGE; null before the first.</summary>
    public ulong? ObjectRange { get; set; }

    /// <summary>Position of the last record in the order of sending; null before the first.</summary>
    public RecordPosition? Position { get; set; }

    /// <summary>See <see cref="ParserState.ResumePoint"/>.</summary>
    public ResumePoint ResumePoint { get; set; }

    /// <summary>See <see cref="ParserState.ResumeBytes"/>.</summary>
    public long ResumeBytes { get; set; }

    /// <summary>See <see cref="ParserState.EndsWithWrite"/>.</summary>
    public bool EndsWithWrite { get; set; }

    /// <summary>See <see cref="ParserState.IsOutOfOrder"/>.</summary>
    public bool IsOutOfOrder { get; set; }

    /// <summary>Adds the next record, and returns the rule that it breaks; null if none.</summary>
    /// <param name="header">The record.</param>
    /// <param name="end">Bytes of the stream up to the record's end.</param>
    /// <param name="raw">Whether the stream is raw.</param>
    public RecordFault? Add(RecordHeader header, long end, bool raw)
    {
        NotePosition(RecordPosition.Of(header, Position));
        NoteResume(header, end);
        switch (header.Type)
        {
            case RecordType.Write:
                return AddWrite(header.AsWrite().Object, header.AsWrite().Offset);
            case RecordType.ObjectRange:
                ObjectRange = header.AsObjectRange().FirstObject;
                return null;
            case RecordType.Object when raw:
                var number = header.AsObject().Object;
                return ObjectRange is { } first && number >= first && number - first < StreamLimits.DnodeSlots
                    ? null
                    : new RecordFault(
                        SendStreamError.UnexpectedRecord,
                        $"OBJECT {number} of a raw stream is outside the last OBJECT_RANGE"
                    );
            default:
                return null;
        }
    }

    private void NotePosition(RecordPosition position)
    {
        IsOutOfOrder |= Position is { } last && position <= last;
        Position = position;
    }

    /// <summary>
    /// What a receiver notes, and when: WRITEs are batched, and noted with the record that ends the batch
    /// (module/zfs/dmu_recv.c, receive_process_record, flush_write_batch, save_resume_state).
    /// </summary>
    private void NoteResume(RecordHeader header, long end)
    {
        var isWrite = header.Type == RecordType.Write;
        if (isWrite || EndsWithWrite || header.Type is RecordType.Object or RecordType.WriteEmbedded)
            ResumeBytes = end - RecordHeader.Size;
        EndsWithWrite = isWrite;
        ResumePoint = ResumePoint.After(header);
    }

    private RecordFault? AddWrite(ulong number, ulong offset)
    {
        if (number < LastWriteObject || (number == LastWriteObject && offset < LastWriteOffset))
        {
            return new RecordFault(
                SendStreamError.UnexpectedRecord,
                $"WRITE of object {number} at {offset} follows {LastWriteObject} at {LastWriteOffset}; expected "
                    + "ascending order"
            );
        }

        LastWriteObject = number;
        LastWriteOffset = offset;
        return null;
    }
}
