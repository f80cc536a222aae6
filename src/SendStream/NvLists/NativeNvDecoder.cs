using System.Buffers.Binary;

namespace ZfsSnapshotManager.SendStream.NvLists;

/// <summary>
/// The native encoding, little-endian: i32 version (0), u32 flags, pairs, u32 0. A pair: i32 size (all of it, a
/// multiple of 8), i16 length of the name with its NUL, i16 0, i32 element count, i32 type, the name padded so that the
/// value starts at a multiple of 8, the value. A list inside a list has a placeholder of 24 bytes as its value (arrays:
/// 8 and 24 bytes an element); its own pairs, ended by u32 0, follow that pair, outside its size. Source: OpenZFS
/// module/nvpair/nvpair.c, nvs_native_nvp_op, nvpair_native_embedded, nvpair_native_embedded_array.
/// </summary>
internal static class NativeNvDecoder
{
    private const int PairHeader = 16;
    private const int ListPlaceholder = 24;
    private const int PointerPlaceholder = 8;

    /// <summary>Reads a list behind the four bytes that name its encoding.</summary>
    /// <exception cref="FormatException">The bytes are no list.</exception>
    public static NvList ReadList(ref NvReader reader)
    {
        // Version and flags; those of the lists inside are in their placeholders.
        return ReadPairs(ref reader, FlagsAt(reader.Take(2 * sizeof(int))), depth: 0);
    }

    private static NvList ReadPairs(ref NvReader reader, uint flags, int depth)
    {
        if (depth > NvList.MaxDepth)
            throw new FormatException($"an nvlist nested more than {NvList.MaxDepth} deep");
        List<NvPair> pairs = [];
        while (true)
        {
            var size = reader.TakeInt32LittleEndian();
            if (size == 0)
                return new NvList(pairs, flags);
            if (size < PairHeader)
                throw new FormatException($"an nvlist pair of {size} bytes; expected at least {PairHeader}");
            var pair = reader.Take((long)size - sizeof(int));
            pairs.Add(ReadPair(pair, ref reader, depth));
        }
    }

    /// <param name="pair">The pair without its size.</param>
    /// <param name="behind">What follows the pair: the pairs of lists inside it.</param>
    /// <param name="depth">How deep the list is nested that holds the pair; the outermost is 0.</param>
    private static NvPair ReadPair(ReadOnlySpan<byte> pair, ref NvReader behind, int depth)
    {
        var nameLength = BinaryPrimitives.ReadInt16LittleEndian(pair);
        var count = BinaryPrimitives.ReadInt32LittleEndian(pair[4..]);
        var type = (NvType)BinaryPrimitives.ReadInt32LittleEndian(pair[8..]);
        var reader = new NvReader(pair[(PairHeader - sizeof(int))..]);
        var name = nameLength < 2 ? default : reader.Take(nameLength);
        if (name.IsEmpty || name[^1] != 0 || count < 0)
            throw new FormatException($"an nvlist pair with a name of {nameLength} bytes and {count} elements");
        _ = reader.Take(Padding(PairHeader + nameLength));
        return NvPair.Read(NvReader.Text(name[..^1]), type, ReadValue(type, count, ref reader, ref behind, depth));
    }

    private static NvValue ReadValue(NvType type, int count, ref NvReader value, ref NvReader behind, int depth)
    {
        switch (type)
        {
            case NvType.UInt64:
                return new NvValue(1, value.Take(sizeof(ulong)).ToArray());
            case NvType.UInt64Array:
                return new NvValue(count, value.Take((long)count * sizeof(ulong)).ToArray());
            case NvType.String:
                var end = value.Rest.IndexOf((byte)0);
                return end >= 0
                    ? new NvValue(1, value.Rest[..(end + 1)].ToArray())
                    : throw new FormatException("an nvlist with a string that no NUL ends");
            case NvType.List:
                return NvValue.Of(ReadPairs(ref behind, FlagsAt(value.Take(ListPlaceholder)), depth + 1));
            case NvType.ListArray:
                var placeholders = value.Take((long)count * (PointerPlaceholder + ListPlaceholder))[
                    (count * PointerPlaceholder)..
                ];
                var lists = new NvList[count];
                for (var i = 0; i < count; i++)
                    lists[i] = ReadPairs(ref behind, FlagsAt(placeholders[(i * ListPlaceholder)..]), depth + 1);
                return NvValue.Of(lists);
            case NvType.Boolean:
                return NvValue.Flag;
            default:
                return new NvValue(count, value.Rest.ToArray());
        }
    }

    /// <summary>The flags behind the version, where a list or its placeholder begins.</summary>
    private static uint FlagsAt(ReadOnlySpan<byte> list) =>
        BinaryPrimitives.ReadUInt32LittleEndian(list[sizeof(int)..]);

    private static int Padding(int length) => -length & 7;
}
