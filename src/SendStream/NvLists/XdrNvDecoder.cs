namespace ZfsSnapshotManager.SendStream.NvLists;

/// <summary>
/// The XDR encoding, big-endian, everything padded to 4 bytes: i32 version (0), u32 flags, pairs, two i32 0. A pair:
/// i32 size as packed (all of it), i32 size when unpacked, the name (i32 length, bytes), i32 type, i32 element count,
/// the value; no value if the count is 0. A list inside a list stands in the position of its value, with version and
/// flags of its own. libzfs packs the headers of packages so, and OpenZFS after 2.4 every BEGIN payload. All values are
/// brought into the native form. Source: OpenZFS module/nvpair/nvpair.c, nvs_xdr_nvp_op and the comment above
/// nvs_xdr_create.
/// </summary>
internal static class XdrNvDecoder
{
    /// <summary>Bytes of a pair without name and value.</summary>
    private const int SmallestPair = 20;

    /// <summary>Bytes of a list without pairs.</summary>
    private const int SmallestList = 16;

    /// <summary>The smallest unit of XDR: a byte takes as many bytes.</summary>
    private const int Unit = sizeof(int);

    /// <summary>Reads a list behind the four bytes that name its encoding.</summary>
    /// <exception cref="FormatException">The bytes are no list.</exception>
    public static NvList ReadList(ref NvReader reader, int depth)
    {
        if (depth > NvList.MaxDepth)
            throw new FormatException($"an nvlist nested more than {NvList.MaxDepth} deep");
        _ = reader.TakeInt32BigEndian(); // version
        var flags = unchecked((uint)reader.TakeInt32BigEndian());
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
        if (type is < NvType.Boolean or > NvType.Double)
            return NvPair.Read(name, type, new NvValue(count, pair.Rest.ToArray()), isForeign: true);
        return NvPair.Read(name, type, count == 0 ? NvValue.Flag : ReadValue(type, count, ref pair, depth));
    }

    private static NvValue ReadValue(NvType type, int count, ref NvReader pair, int depth)
    {
        switch (type)
        {
            case NvType.Boolean:
                return NvValue.Flag;
            case NvType.String:
                return new NvValue(1, [.. NvReader.WithoutNul(ReadBytes(ref pair)), 0]);
            case NvType.ByteArray:
                return new NvValue(count, pair.Take(count).ToArray());
            case NvType.StringArray:
                return ReadStrings(count, ref pair);
            case NvType.List:
                return NvValue.Of(ReadList(ref pair, depth + 1));
            case NvType.ListArray:
                return ReadLists(count, ref pair, depth);
            default:
                return IsArray(type)
                    ? ReadArray(ElementSize(type), ref pair)
                    : new NvValue(1, ReadElement(ElementSize(type), ref pair));
        }
    }

    private static bool IsArray(NvType type) =>
        type
            is NvType.Int16Array
                or NvType.UInt16Array
                or NvType.Int32Array
                or NvType.UInt32Array
                or NvType.Int64Array
                or NvType.UInt64Array
                or NvType.BooleanArray
                or NvType.Int8Array
                or NvType.UInt8Array;

    /// <summary>
    /// Bytes of a number, or of an element of an array, in memory. Source: nvpair.c, i_get_value_size.
    /// </summary>
    private static int ElementSize(NvType type) =>
        type switch
        {
            NvType.Byte or NvType.Int8 or NvType.UInt8 or NvType.Int8Array or NvType.UInt8Array => sizeof(byte),
            NvType.Int16 or NvType.UInt16 or NvType.Int16Array or NvType.UInt16Array => sizeof(short),
            NvType.Int32 or NvType.UInt32 or NvType.Int32Array or NvType.UInt32Array => sizeof(int),
            NvType.BooleanValue or NvType.BooleanArray => sizeof(int),
            _ => sizeof(long),
        };

    private static NvValue ReadArray(int size, ref NvReader pair)
    {
        var stored = Math.Max(size, Unit);
        var count = pair.TakeInt32BigEndian();
        if (count < 0 || count > pair.Rest.Length / stored)
            throw new FormatException($"an nvlist with {count} elements announced and {pair.Rest.Length} bytes left");
        var bytes = new byte[count * size];
        for (var i = 0; i < count; i++)
            CopyElement(pair.Take(stored), bytes.AsSpan(i * size, size));
        return new NvValue(count, bytes);
    }

    private static byte[] ReadElement(int size, ref NvReader pair)
    {
        var bytes = new byte[size];
        CopyElement(pair.Take(Math.Max(size, Unit)), bytes);
        return bytes;
    }

    /// <summary>Brings a big-endian number into little-endian form, without what XDR widened it by.</summary>
    private static void CopyElement(ReadOnlySpan<byte> stored, Span<byte> element)
    {
        stored[^element.Length..].CopyTo(element);
        element.Reverse();
    }

    /// <summary>In native form the strings follow 8 bytes for each, which mean something in memory only.</summary>
    private static NvValue ReadStrings(int count, ref NvReader pair)
    {
        if (count > pair.Rest.Length / Unit)
            throw new FormatException($"an nvlist with {count} strings announced and {pair.Rest.Length} bytes left");
        List<byte> bytes = [.. new byte[count * sizeof(ulong)]];
        for (var i = 0; i < count; i++)
        {
            bytes.AddRange(NvReader.WithoutNul(ReadBytes(ref pair)));
            bytes.Add(0);
        }

        return new NvValue(count, [.. bytes]);
    }

    private static NvValue ReadLists(int count, ref NvReader pair, int depth)
    {
        if (count > pair.Rest.Length / SmallestList)
            throw new FormatException($"an nvlist with {count} lists announced and {pair.Rest.Length} bytes left");
        var lists = new NvList[count];
        for (var i = 0; i < count; i++)
            lists[i] = ReadList(ref pair, depth + 1);
        return NvValue.Of(lists);
    }

    private static ReadOnlySpan<byte> ReadBytes(ref NvReader pair)
    {
        var length = pair.TakeInt32BigEndian();
        var bytes = pair.Take(length);
        _ = pair.Take(-length & 3);
        return bytes;
    }
}
