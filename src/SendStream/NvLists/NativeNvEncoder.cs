using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace ZfsSnapshotManager.SendStream.NvLists;

/// <summary>
/// Packs lists in the native encoding that <see cref="NativeNvDecoder"/> reads, byte for byte as ZFS on a little-endian
/// machine packs them: all padding, and the pointers inside the placeholders of lists, are 0. Source: OpenZFS
/// module/nvpair/nvpair.c, nvlist_common and nvs_native_*; nvlist_t in include/sys/nvpair.h for the placeholder.
/// </summary>
internal static class NativeNvEncoder
{
    private const int PairHeader = 16;
    private const int ListPlaceholder = 24;
    private const int PointerPlaceholder = 8;

    public static byte[] Pack(NvList list)
    {
        var output = new ArrayBufferWriter<byte>();
        output.Write<byte>([0, 1, 0, 0]); // native encoding, little-endian, two reserved
        WriteInt32(output, 0); // version
        WriteInt32(output, (int)list.Flags);
        WritePairs(output, list, depth: 0);
        return output.WrittenSpan.ToArray();
    }

    private static void WritePairs(ArrayBufferWriter<byte> output, NvList list, int depth)
    {
        if (depth > NvList.MaxDepth)
            throw new InvalidOperationException($"an nvlist nested more than {NvList.MaxDepth} deep cannot be packed");
        foreach (var pair in list.Pairs)
        {
            WritePair(output, pair);
            foreach (var inner in ListsIn(pair))
                WritePairs(output, inner, depth + 1);
        }

        WriteInt32(output, 0);
    }

    private static void WritePair(ArrayBufferWriter<byte> output, NvPair pair)
    {
        // U+FFFD stands for bytes that were no UTF-8 when the list was unpacked; what they were is no longer known.
        if (pair.Name.Contains('\ufffd'))
            throw CannotPack(pair, "its name holds U+FFFD");
        var name = TextBytes(pair, pair.Name);
        if (name.Length is < 2 or > short.MaxValue)
            throw CannotPack(pair, $"its name has {name.Length - 1} bytes; 1 to {short.MaxValue - 1} are possible");
        var (count, value) = ValueOf(pair);
        var start = Padded(PairHeader + name.Length);
        var packed = new byte[start + Padded(value.Length)];
        BinaryPrimitives.WriteInt32LittleEndian(packed, packed.Length);
        BinaryPrimitives.WriteInt16LittleEndian(packed.AsSpan(4), (short)name.Length);
        BinaryPrimitives.WriteInt32LittleEndian(packed.AsSpan(8), count);
        BinaryPrimitives.WriteInt32LittleEndian(packed.AsSpan(12), (int)pair.Type);
        name.CopyTo(packed, PairHeader);
        value.CopyTo(packed.AsMemory(start));
        output.Write(packed);
    }

    private static (int Count, ReadOnlyMemory<byte> Bytes) ValueOf(NvPair pair) =>
        (pair.Type, pair.Value) switch
        {
            (NvType.Boolean, null) => (0, default),
            (NvType.UInt64, ulong number) => (1, Numbers([number])),
            (NvType.UInt64Array, ulong[] numbers) => (numbers.Length, Numbers(numbers)),
            (NvType.String, string text) => (1, TextBytes(pair, text)),
            (NvType.List, NvList list) => (1, Placeholders([list], pointers: 0)),
            (NvType.ListArray, NvList[] lists) => (
                lists.Length,
                Placeholders(lists, lists.Length * PointerPlaceholder)
            ),
            (NvType.String, NvRaw raw) => (raw.Count, raw.Bytes),
            (_, NvRaw raw) when !IsTakenApart(pair.Type) => (raw.Count, raw.Bytes),
            _ => throw CannotPack(pair, $"its value is {pair.Value?.GetType().Name ?? "unknown"}"),
        };

    private static bool IsTakenApart(NvType type) =>
        type
            is NvType.Boolean
                or NvType.UInt64
                or NvType.UInt64Array
                or NvType.String
                or NvType.List
                or NvType.ListArray;

    private static NvList[] ListsIn(NvPair pair) =>
        pair.Value switch
        {
            NvList list => [list],
            NvList[] lists => lists,
            _ => [],
        };

    private static byte[] Numbers(ReadOnlySpan<ulong> numbers)
    {
        var bytes = new byte[numbers.Length * sizeof(ulong)];
        for (var i = 0; i < numbers.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * sizeof(ulong)), numbers[i]);
        return bytes;
    }

    /// <summary>
    /// What stands for lists inside a pair: i32 version, u32 flags, and 16 bytes that mean something in memory only.
    /// </summary>
    private static byte[] Placeholders(ReadOnlySpan<NvList> lists, int pointers)
    {
        var bytes = new byte[pointers + (lists.Length * ListPlaceholder)];
        for (var i = 0; i < lists.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(
                bytes.AsSpan(pointers + (i * ListPlaceholder) + sizeof(int)),
                lists[i].Flags
            );
        return bytes;
    }

    /// <summary>Whether a string can be packed: it has no NUL, and no half of a surrogate pair.</summary>
    public static bool IsText(string text) =>
        !text.Contains('\0') && Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) == text;

    private static byte[] TextBytes(NvPair pair, string text) =>
        IsText(text)
            ? [.. Encoding.UTF8.GetBytes(text), 0]
            : throw CannotPack(pair, "a NUL or half a surrogate pair is in its name or value");

    private static InvalidOperationException CannotPack(NvPair pair, string why) =>
        new($"The nvlist pair \"{Excerpt.Of(pair.Name)}\" of type {pair.Type} cannot be packed: {why}.");

    private static void WriteInt32(ArrayBufferWriter<byte> output, int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(output.GetSpan(sizeof(int)), value);
        output.Advance(sizeof(int));
    }

    private static int Padded(int length) => (length + 7) & ~7;
}
