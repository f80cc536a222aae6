using System.Buffers.Binary;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Fuzzing.Inputs;

/// <summary>A field of a record that a program gives; offsets count from the 304 bytes that a type lays out.</summary>
/// <param name="Offset">Offset in bytes.</param>
/// <param name="Width">Bytes.</param>
/// <param name="Unit">What small numbers in a program count.</param>
internal readonly record struct RecordField(int Offset, int Width, uint Unit = 1);

/// <summary>
/// The headers that a program's instructions make: the program gives the fields that matter, the others get the values
/// that ZFS would send.
/// </summary>
internal static class RecordLayout
{
    /// <summary>Where the fields begin in a header.</summary>
    public const int FieldsOffset = 8;

    private const uint PlainFile = 19;
    private const uint SystemAttributes = 44;
    private const byte Lz4 = 15;

    private static readonly RecordField[][] Fields =
    [
        [new(32, 8), new(40, 8)], // BEGIN: GUIDs
        // OBJECT: number, block size, bonus, slots, flags.
        [new(0, 8), new(16, 4, 512), new(20, 4), new(26, 1), new(27, 1)],
        [new(0, 8), new(8, 8)], // FREEOBJECTS: first, count
        [new(0, 8), new(16, 8, 512), new(24, 8, 512), new(88, 8, 4)], // WRITE: number, offset, size, compressed size
        [new(0, 8), new(8, 8, 512), new(16, 8, 512)], // FREE: number, offset, length
        [], // END
        [new(0, 8), new(8, 8, 512), new(16, 8, 512)], // WRITE_BYREF: number, offset, length
        [new(0, 8), new(8, 8, 512), new(24, 1), new(32, 8, 4)], // SPILL: number, length, flags, compressed size
        [new(0, 8), new(8, 8, 512), new(16, 8, 512), new(44, 4)], // WRITE_EMBEDDED: number, offset, length, payload
        [new(0, 8, 32)], // OBJECT_RANGE: first
        [new(0, 8), new(8, 8, 512), new(16, 8, 512)], // REDACT: number, offset, length
    ];

    /// <summary>Where each type has the snapshot's GUID.</summary>
    private static readonly int[] GuidOffsets = [32, 32, 16, 32, 24, 32, 24, 16, 24, 16, 24];

    /// <summary>The fields that a program gives for a type.</summary>
    public static IReadOnlyList<RecordField> FieldsOf(RecordType type) => Fields[(int)type];

    /// <summary>Makes a header.</summary>
    /// <param name="header">312 bytes, which are overwritten.</param>
    /// <param name="type">The type.</param>
    /// <param name="values">One for each of <see cref="FieldsOf"/>.</param>
    /// <param name="guid">The snapshot's GUID.</param>
    /// <param name="raw">Whether the stream is raw.</param>
    public static void Make(Span<byte> header, RecordType type, ReadOnlySpan<ulong> values, ulong guid, bool raw)
    {
        header.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(header, (uint)type);
        var fields = header[FieldsOffset..];
        PutDefaults(fields, type, raw);
        BinaryPrimitives.WriteUInt64LittleEndian(fields[GuidOffsets[(int)type]..], guid);
        for (var i = 0; i < values.Length; i++)
            Put(fields, Fields[(int)type][i], values[i]);
        PutDerived(fields, type, raw);
    }

    /// <summary>The value of a field of a header.</summary>
    public static ulong Get(ReadOnlySpan<byte> header, RecordField field)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        header.Slice(FieldsOffset + field.Offset, field.Width).CopyTo(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    public static void Put(Span<byte> fields, RecordField field, ulong value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        bytes[..field.Width].CopyTo(fields[field.Offset..]);
    }

    private static void PutDefaults(Span<byte> fields, RecordType type, bool raw)
    {
        switch (type)
        {
            case RecordType.Object:
                Put(fields, new(8, 4), PlainFile);
                Put(fields, new(12, 4), SystemAttributes);
                (fields[40], fields[41], fields[42]) = raw ? ((byte)17, (byte)1, (byte)1) : default;
                break;
            case RecordType.Write:
                Put(fields, new(8, 4), PlainFile);
                break;
            case RecordType.WriteEmbedded:
                fields[32] = Lz4;
                Put(fields, new(40, 4), 512);
                break;
            case RecordType.ObjectRange:
                Put(fields, new(8, 8), 32);
                break;
            default:
                break;
        }
    }

    private static void PutDerived(Span<byte> fields, RecordType type, bool raw)
    {
        var bonus = BinaryPrimitives.ReadUInt32LittleEndian(fields[20..]);
        if (type == RecordType.Object && raw)
            Put(fields, new(28, 4), (bonus + 7UL) & ~7UL);
        if (type == RecordType.Write && BinaryPrimitives.ReadUInt64LittleEndian(fields[88..]) != 0)
            fields[42] = Lz4;
    }
}
