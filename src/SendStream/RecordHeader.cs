using System.Buffers.Binary;
using ZfsSnapshotManager.SendStream.Records;

namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// A view of a record's 312-byte header: <c>u32 drr_type</c>, <c>u32 drr_payloadlen</c>, and 304 bytes that the type
/// lays out. The values are those in the bytes, unchecked; <see cref="SendStreamParser"/> gives only headers that it
/// verified. Thread-safe as long as the bytes do not change. Source: OpenZFS include/sys/zfs_ioctl.h, struct
/// dmu_replay_record.
/// </summary>
public readonly ref struct RecordHeader
{
    /// <summary>Bytes of a header, of every type.</summary>
    public const int Size = 312;

    /// <summary>Bytes before the fields that the type lays out.</summary>
    internal const int FieldsOffset = 8;

    /// <summary>Views 312 bytes as a header, without checking them.</summary>
    /// <param name="raw">Exactly 312 bytes.</param>
    /// <exception cref="ArgumentException">Another length.</exception>
    public RecordHeader(ReadOnlySpan<byte> raw)
    {
        if (raw.Length != Size)
            throw new ArgumentException($"A record header has {Size} bytes; {raw.Length} were given.", nameof(raw));
        Raw = raw;
    }

    /// <summary>The 312 bytes themselves.</summary>
    public ReadOnlySpan<byte> Raw { get; }

    /// <summary>The record's type.</summary>
    public RecordType Type => (RecordType)BinaryPrimitives.ReadUInt32LittleEndian(Raw);

    /// <summary>
    /// The field <c>drr_payloadlen</c>, in bytes; only BEGIN uses it: see <see cref="PayloadLength"/>.
    /// </summary>
    public uint DeclaredPayloadLength => BinaryPrimitives.ReadUInt32LittleEndian(Raw[4..]);

    /// <summary>
    /// The field <c>drr_checksum</c>: the running checksum before these last 32 bytes. BEGIN has none.
    /// </summary>
    public Fletcher4 StoredChecksum => Fletcher4.ReadFrom(Raw[StreamLimits.ChecksumOffset..]);

    /// <summary>
    /// Bytes that follow the header in the stream, computed by the record's type (macros DRR_OBJECT_PAYLOAD_SIZE,
    /// DRR_WRITE_PAYLOAD_SIZE, DRR_SPILL_PAYLOAD_SIZE); a hostile value above <see cref="long.MaxValue"/> becomes that.
    /// </summary>
    public long PayloadLength =>
        Type switch
        {
            RecordType.Begin => DeclaredPayloadLength,
            RecordType.Object => AsObject().PayloadLength,
            RecordType.Write => Clamp(AsWrite().StoredSize),
            RecordType.Spill => Clamp(AsSpill().StoredSize),
            RecordType.WriteEmbedded => AsWriteEmbedded().PayloadLength,
            _ => 0,
        };

    /// <summary>
    /// The field <c>drr_toguid</c>: GUID of the snapshot the record belongs to; 0 for an unknown type.
    /// </summary>
    public ulong SnapshotGuid =>
        SnapshotGuidOffset(Type) is { } offset
            ? BinaryPrimitives.ReadUInt64LittleEndian(Raw[(FieldsOffset + offset)..])
            : 0;

    /// <summary>The fields of a BEGIN record.</summary>
    /// <exception cref="InvalidOperationException">The record is of another type.</exception>
    public BeginRecord AsBegin() => new(FieldsOf(RecordType.Begin));

    /// <summary>The fields of an OBJECT record.</summary>
    /// <exception cref="InvalidOperationException">The record is of another type.</exception>
    public ObjectRecord AsObject() => new(FieldsOf(RecordType.Object));

    /// <summary>The fields of a FREEOBJECTS record.</summary>
    /// <exception cref="InvalidOperationException">The record is of another type.</exception>
    public FreeObjectsRecord AsFreeObjects() => new(FieldsOf(RecordType.FreeObjects));

    /// <summary>The fields of a WRITE record.</summary>
    /// <exception cref="InvalidOperationException">The record is of another type.</exception>
    public WriteRecord AsWrite() => new(FieldsOf(RecordType.Write));

    /// <summary>The fields of a FREE record.</summary>
    /// <exception cref="InvalidOperationException">The record is of another type.</exception>
    public FreeRecord AsFree() => new(FieldsOf(RecordType.Free));

    /// <summary>The fields of an END record.</summary>
    /// <exception cref="InvalidOperationException">The record is of another type.</exception>
    public EndRecord AsEnd() => new(FieldsOf(RecordType.End));

    /// <summary>The fields of a WRITE_BYREF record.</summary>
    /// <exception cref="InvalidOperationException">The record is of another type.</exception>
    public WriteByRefRecord AsWriteByRef() => new(FieldsOf(RecordType.WriteByRef));

    /// <summary>The fields of a SPILL record.</summary>
    /// <exception cref="InvalidOperationException">The record is of another type.</exception>
    public SpillRecord AsSpill() => new(FieldsOf(RecordType.Spill));

    /// <summary>The fields of a WRITE_EMBEDDED record.</summary>
    /// <exception cref="InvalidOperationException">The record is of another type.</exception>
    public WriteEmbeddedRecord AsWriteEmbedded() => new(FieldsOf(RecordType.WriteEmbedded));

    /// <summary>The fields of an OBJECT_RANGE record.</summary>
    /// <exception cref="InvalidOperationException">The record is of another type.</exception>
    public ObjectRangeRecord AsObjectRange() => new(FieldsOf(RecordType.ObjectRange));

    /// <summary>The fields of a REDACT record.</summary>
    /// <exception cref="InvalidOperationException">The record is of another type.</exception>
    public RedactRecord AsRedact() => new(FieldsOf(RecordType.Redact));

    /// <summary>Offset of <c>drr_toguid</c> in the fields of a type; null if the type is unknown.</summary>
    internal static int? SnapshotGuidOffset(RecordType type) =>
        type switch
        {
            RecordType.FreeObjects or RecordType.Spill or RecordType.ObjectRange => 16,
            RecordType.Free or RecordType.WriteEmbedded or RecordType.WriteByRef or RecordType.Redact => 24,
            RecordType.Begin or RecordType.Object or RecordType.Write or RecordType.End => 32,
            _ => null,
        };

    /// <summary>Name of a record type as ZFS prints it.</summary>
    internal static string NameOf(RecordType type) =>
        type switch
        {
            RecordType.Begin => "BEGIN",
            RecordType.Object => "OBJECT",
            RecordType.FreeObjects => "FREEOBJECTS",
            RecordType.Write => "WRITE",
            RecordType.Free => "FREE",
            RecordType.End => "END",
            RecordType.WriteByRef => "WRITE_BYREF",
            RecordType.Spill => "SPILL",
            RecordType.WriteEmbedded => "WRITE_EMBEDDED",
            RecordType.ObjectRange => "OBJECT_RANGE",
            RecordType.Redact => "REDACT",
            _ => $"type {(uint)type}",
        };

    private static long Clamp(ulong length) => (long)Math.Min(length, long.MaxValue);

    private ReadOnlySpan<byte> FieldsOf(RecordType type) =>
        Type == type
            ? Raw[FieldsOffset..]
            : throw new InvalidOperationException($"The record is {NameOf(Type)}, not {NameOf(type)}.");
}
