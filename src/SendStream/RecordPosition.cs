namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Position of a record in the order in which ZFS sends one snapshot: by object, by stage, by offset. The same record
/// has the same position in an uninterrupted stream and in one that continues after an interruption, so positions tell
/// which records are sent twice. Immutable.
/// </summary>
/// <param name="Object">Number of the object; of an OBJECT_RANGE or FREEOBJECTS, the first one; at END,
/// <see cref="ulong.MaxValue"/>.</param>
/// <param name="Stage">The stage inside the object.</param>
/// <param name="Offset">Offset of the data in bytes; 0 in other stages.</param>
public readonly record struct RecordPosition(ulong Object, RecordStage Stage, ulong Offset)
    : IComparable<RecordPosition>
{
    /// <summary>Position of END, after all others.</summary>
    public static RecordPosition End { get; } = new(ulong.MaxValue, RecordStage.Spill, ulong.MaxValue);

    /// <summary>Whether one is before the other.</summary>
    public static bool operator <(RecordPosition left, RecordPosition right) => left.CompareTo(right) < 0;

    /// <summary>Whether one is after the other.</summary>
    public static bool operator >(RecordPosition left, RecordPosition right) => left.CompareTo(right) > 0;

    /// <summary>Whether one is before the other, or equal to it.</summary>
    public static bool operator <=(RecordPosition left, RecordPosition right) => left.CompareTo(right) <= 0;

    /// <summary>Whether one is after the other, or equal to it.</summary>
    public static bool operator >=(RecordPosition left, RecordPosition right) => left.CompareTo(right) >= 0;

    /// <inheritdoc/>
    public int CompareTo(RecordPosition other)
    {
        var byObject = Object.CompareTo(other.Object);
        if (byObject != 0)
            return byObject;
        var byStage = ((int)Stage).CompareTo((int)other.Stage); // the comparison of an enum would box it
        return byStage != 0 ? byStage : Offset.CompareTo(other.Offset);
    }

    /// <summary>Position of a record of a snapshot's stream.</summary>
    /// <param name="header">The record; not a BEGIN.</param>
    /// <param name="before">Position of the record before it; null after BEGIN.</param>
    internal static RecordPosition Of(RecordHeader header, RecordPosition? before) =>
        header.Type switch
        {
            RecordType.ObjectRange => new(header.AsObjectRange().FirstObject, RecordStage.ObjectRange, 0),
            RecordType.FreeObjects => new(header.AsFreeObjects().FirstObject, RecordStage.FreeObjects, 0),
            RecordType.Object => new(header.AsObject().Object, RecordStage.Object, 0),
            RecordType.Free => OfFree(
                header.AsFree().Object,
                header.AsFree().Offset,
                header.AsFree().ReachesObjectEnd,
                before
            ),
            RecordType.Spill => OfSpill(header.AsSpill().Object, before),
            RecordType.Write => Data(header.AsWrite().Object, header.AsWrite().Offset),
            RecordType.WriteEmbedded => Data(header.AsWriteEmbedded().Object, header.AsWriteEmbedded().Offset),
            RecordType.WriteByRef => Data(header.AsWriteByRef().Object, header.AsWriteByRef().Offset),
            RecordType.Redact => Data(header.AsRedact().Object, header.AsRedact().Offset),
            _ => End,
        };

    private static RecordPosition Data(ulong number, ulong offset) => new(number, RecordStage.Data, offset);

    private static RecordPosition OfFree(ulong number, ulong offset, bool reachesEnd, RecordPosition? before) =>
        reachesEnd && before is { Stage: RecordStage.Object } last && last.Object == number
            ? new(number, RecordStage.TailFree, 0)
            : Data(number, offset);

    private static RecordPosition OfSpill(ulong number, RecordPosition? before)
    {
        var beforeData = before is { Stage: RecordStage.Object or RecordStage.TailFree } last && last.Object == number;
        return new(number, beforeData ? RecordStage.EarlySpill : RecordStage.Spill, 0);
    }
}
