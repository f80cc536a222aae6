namespace ZfsSnapshotManager.SendStream.NvLists;

/// <summary>
/// The XDR encoding, big-endian, everything padded to 4 bytes: i32 version (0), u32 flags, pairs, two i32 0. A pair:
/// i32 size as packed (all of it), i32 size when unpacked, the name (i32 length, bytes), i32 type, i32 element count,
/// the value. A list inside a list stands in the place of its value, with version and flags of its own. Source: OpenZFS
/// module/nvpair/nvpair.c, nvs_xdr_nvp_op and the comment above nvs_xdr_create.
/// </summary>
internal static class XdrNvDecoder
{
    /// <summary>Bytes of a pair without name and value.</summary>
    private const int SmallestPair = 20;

    /// <summary>Bytes of a list without pairs.</summary>
    private const int SmallestList = 16;

    public static NvList ReadList(ref NvReader reader, int depth)
    {
        if (depth > NvList.MaxDepth)
            throw new FormatException($"an nvlist nested more than {NvList.MaxDepth} deep");
        _ = reader.TakeInt32BigEndian(); // version
        var flags = (uint)reader.TakeInt32BigEndian();
        List<NvPair> pairs = [];
        while (true)
        {
            var size = reader.TakeInt32BigEndian();
            var unpackedSize = reader.TakeInt32BigEndian();
            if (unpackedSize == 0)
                return new NvList(pairs, flags);
            if (size < SmallestPair)
                throw new FormatException($"an nvlist pair of {size} bytes; expected at least {SmallestPair}");
            var pair = new NvReader(reader.Take((long)size - (2 * sizeof(int))));
            pairs.Add(ReadPair(ref pair, depth));
        }
    }

    private static NvPair ReadPair(ref NvReader pair, int depth)
    {
        var name = NvReader.Text(ReadBytes(ref pair));
        var type = (NvType)pair.TakeInt32BigEndian();
        var count = pair.TakeInt32BigEndian();
        if (name.Length == 0 || count < 0)
            throw new FormatException($"an nvlist pair named \"{Excerpt.Of(name)}\" with {count} elements");
        return new NvPair(name, type, count == 0 ? null : ReadValue(type, count, ref pair, depth));
    }

    private static object? ReadValue(NvType type, int count, ref NvReader pair, int depth)
    {
        switch (type)
        {
            case NvType.UInt64:
                return pair.TakeUInt64BigEndian();
            case NvType.UInt64Array:
                return ReadNumbers(ref pair);
            case NvType.String:
                return NvReader.TextValue(ReadBytes(ref pair));
            case NvType.List:
                return ReadList(ref pair, depth + 1);
            case NvType.ListArray:
                if (count > pair.Rest.Length / SmallestList)
                    throw new FormatException(
                        $"an nvlist with {count} lists announced and {pair.Rest.Length} bytes left"
                    );
                var lists = new NvList[count];
                for (var i = 0; i < count; i++)
                    lists[i] = ReadList(ref pair, depth + 1);
                return lists;
            default:
                return null;
        }
    }

    private static ulong[] ReadNumbers(ref NvReader pair)
    {
        var count = pair.TakeInt32BigEndian();
        if (count < 0 || count > pair.Rest.Length / sizeof(ulong))
            throw new FormatException($"an nvlist with {count} numbers announced and {pair.Rest.Length} bytes left");
        var numbers = new ulong[count];
        for (var i = 0; i < count; i++)
            numbers[i] = pair.TakeUInt64BigEndian();
        return numbers;
    }

    private static ReadOnlySpan<byte> ReadBytes(ref NvReader pair)
    {
        var length = pair.TakeInt32BigEndian();
        var bytes = pair.Take(length);
        _ = pair.Take(-length & 3);
        return bytes;
    }
}
