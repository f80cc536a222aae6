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

    /// <summary>Packs a list.</summary>
    /// <exception cref="InvalidOperationException">It cannot be packed: see <see cref="NvList.Pack"/>.</exception>
    public static byte[] Pack(NvList list)
    {
        var output = new ArrayBufferWriter<byte>();
        output.Write<byte>([0, 1, 0, 0]); // native encoding, little-endian, two reserved
        WriteInt32(output, 0); // version
        WriteInt32(output, unchecked((int)list.Flags));
        WritePairs(output, list, depth: 0);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>Returns why a pair cannot have this name, as a clause; null if it can.</summary>
    public static string? FaultOfName(string name)
    {
        // U+FFFD stands for bytes that were no UTF-8 when the list was unpacked; what they were is no longer known.
        if (name.Contains('\ufffd'))
            return "its name holds U+FFFD";
        if (!IsText(name))
            return "its name has a NUL or half a surrogate pair";
        var length = Encoding.UTF8.GetByteCount(name);
        return length is < 1 or > short.MaxValue - 1
            ? $"its name has {length} bytes; 1 to {short.MaxValue - 1} are possible"
            : null;
    }

    /// <summary>Whether a string can be packed: it has no NUL, and no half of a surrogate pair.</summary>
    public static bool IsText(string text) =>
        !text.Contains('\0') && Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) == text;

    private static void WritePairs(ArrayBufferWriter<byte> output, NvList list, int depth)
    {
        if (depth > NvList.MaxDepth)
            throw new InvalidOperationException($"an nvlist nested more than {NvList.MaxDepth} deep cannot be packed");
        foreach (var pair in list.Pairs)
        {
            WritePair(output, pair);
            foreach (var inner in pair.Lists)
                WritePairs(output, inner, depth + 1);
        }

        WriteInt32(output, 0);
    }

    private static void WritePair(ArrayBufferWriter<byte> output, NvPair pair)
    {
        if ((FaultOfName(pair.Name) ?? FaultOfValue(pair)) is { } fault)
            throw new InvalidOperationException(
                $"The nvlist pair \"{Excerpt.Of(pair.Name)}\" of type {pair.Type} cannot be packed: {fault}."
            );
        byte[] name = [.. Encoding.UTF8.GetBytes(pair.Name), 0];
        var value = ValueOf(pair);
        var start = Padded(PairHeader + name.Length);
        var packed = new byte[start + Padded(value.Length)];
        BinaryPrimitives.WriteInt32LittleEndian(packed, packed.Length);
        BinaryPrimitives.WriteInt16LittleEndian(packed.AsSpan(4), (short)name.Length);
        BinaryPrimitives.WriteInt32LittleEndian(packed.AsSpan(8), pair.Count);
        BinaryPrimitives.WriteInt32LittleEndian(packed.AsSpan(12), (int)pair.Type);
        name.CopyTo(packed, PairHeader);
        value.CopyTo(packed.AsMemory(start));
        output.Write(packed);
    }

    /// <summary>Pairs that a factory made have no such fault; pairs that were read may.</summary>
    private static string? FaultOfValue(NvPair pair)
    {
        if (pair.IsForeign)
            return "it was read in XDR, where the form of this type is not known";
        var isComplete = pair.Type switch
        {
            NvType.UInt64 => pair.Bytes.Length == sizeof(ulong),
            NvType.String => !pair.Bytes.IsEmpty,
            NvType.List => pair.Lists.Count == 1,
            _ => true,
        };
        return isComplete ? null : "it has no value";
    }

    private static ReadOnlyMemory<byte> ValueOf(NvPair pair) =>
        pair.Type switch
        {
            NvType.List => Placeholders(pair.Lists, pointers: 0),
            NvType.ListArray => Placeholders(pair.Lists, pair.Lists.Count * PointerPlaceholder),
            _ => pair.Bytes,
        };

    /// <summary>
    /// What stands for lists inside a pair: i32 version, u32 flags, and 16 bytes that mean something in memory only.
    /// </summary>
    private static byte[] Placeholders(IReadOnlyList<NvList> lists, int pointers)
    {
        var bytes = new byte[pointers + (lists.Count * ListPlaceholder)];
        for (var i = 0; i < lists.Count; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(
                bytes.AsSpan(pointers + (i * ListPlaceholder) + sizeof(int)),
                lists[i].Flags
            );
        return bytes;
    }

    private static void WriteInt32(ArrayBufferWriter<byte> output, int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(output.GetSpan(sizeof(int)), value);
        output.Advance(sizeof(int));
    }

    private static int Padded(int length) => (length + 7) & ~7;
}
