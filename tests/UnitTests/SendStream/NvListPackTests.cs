using CsCheck;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.NvLists;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>Packing lists, by the library and by <see cref="Packing"/>, and those of real streams.</summary>
public sealed class NvListPackTests
{
    private static readonly NvList Small = new([NvPair.Of("a", 1UL), NvPair.Of("b", "two"), NvPair.Flag("c")]);

    /// <summary>Lists with every type that can be packed, and nested ones.</summary>
    private static readonly Gen<NvList> Lists = Gen.Recursive<NvList>(
        (depth, inner) =>
            Gen.Select(
                    (
                        depth >= 4
                            ? FlatPairs
                            : Gen.OneOf(FlatPairs, Pairs(inner, NvPair.Of), Pairs(inner.Array[0, 3], NvPair.Of))
                    ).Array[0, 5],
                    Gen.UInt[0, 3]
                )
                .Select((pairs, flags) => new NvList(pairs, flags))
    );

    private static Gen<string> Names => Gen.String[Gen.Char['a', 'z'], 1, 20];

    private static Gen<NvPair> FlatPairs =>
        Gen.OneOf(
            Pairs(Gen.ULong, NvPair.Of),
            Pairs(Gen.String[Gen.OneOf(Gen.Char['a', 'z'], Gen.Char['à', 'ÿ']), 0, 20], NvPair.Of),
            Pairs(Gen.ULong.Array[0, 5], NvPair.Of),
            Names.Select(NvPair.Flag),
            Gen.Select(Names, Gen.Int[10, 15], Gen.Int[0, 9], Gen.Byte.Array[0, 3])
                .Select(
                    (name, type, count, words) =>
                        NvPair.OfRaw(
                            name,
                            (NvType)type,
                            count,
                            words.SelectMany(word => Enumerable.Repeat(word, 8)).ToArray()
                        )
                )
        );

    public static TheoryData<string> Streams => [.. RecordedStream.WholeOfAllVersions.Select(stream => stream.File)];

    [Theory]
    [MemberData(nameof(Streams))]
    public void The_lists_in_real_streams_are_packed_into_the_bytes_they_came_from(string file)
    {
        foreach (var payload in BeginPayloads(RecordedStream.All[file].Bytes).Where(payload => payload[0] == 0))
        {
            var packed = NvList.Unpack(payload).Pack();
            Assert.Equal(payload[..packed.Length], packed);
            Assert.InRange(payload.Length - packed.Length, 0, 7);
        }
    }

    [Fact]
    public void There_are_real_lists_with_lists_inside_and_arrays_of_bytes()
    {
        var lists = RecordedStream
            .Whole.SelectMany(stream => BeginPayloads(stream.Bytes))
            .Where(payload => payload[0] == 0)
            .Select(payload => NvList.Unpack(payload))
            .ToList();
        Assert.True(lists.Count > 5, $"{lists.Count} lists");
        Assert.Contains(lists, list => list.Pairs.Any(pair => pair.Type == NvType.List));
        Assert.Contains(lists, list => list.Pairs.Any(pair => pair.Type == NvType.UInt64Array));
        Assert.Contains(lists.SelectMany(list => list.Pairs).SelectMany(pair => pair.Lists), inner =>
            inner.Pairs.Any(pair => pair.Type == NvType.UInt8Array && pair.TryGetBytes(out var bytes) && !bytes.IsEmpty)
        );
    }

    [Fact]
    public void A_list_is_packed_as_zfs_packs_it() =>
        Assert.Equal(
            "000100000000000001000000"
                + "200000000200000001000000080000006100000000000000"
                + "0100000000000000"
                + "200000000200000001000000090000006200000000000000"
                + "74776f0000000000"
                + "180000000200000000000000010000006300000000000000"
                + "00000000",
            Convert.ToHexStringLower(Small.Pack())
        );

    [Fact]
    public void A_list_is_packed_as_the_tests_pack_it()
    {
        (string, object)[] pairs =
        [
            ("number", ulong.MaxValue),
            ("größe", "ü"),
            ("flag", true),
            ("numbers", new ulong[] { 1, 2 }),
            ("inner", new (string, object)[] { ("deep", new (string, object)[] { ("deeper", 5UL) }), ("after", 6UL) }),
            ("many", new (string, object)[][] { [("a", 1UL)], [], [("b", "two")] }),
            ("last", ""),
        ];
        (string, object)[] more =
        [
            .. pairs,
            ("none", Array.Empty<ulong>()),
            ("no lists", Array.Empty<(string, object)[]>()),
        ];
        Assert.Equal(Packing.Native(more), NvList.Unpack(Packing.Native(more)).Pack());

        // From XDR the same list results, except for the flags of the inner lists, which Packing leaves out of their
        // placeholders.
        var fromXdr = NvList.Unpack(NvList.Unpack(Packing.Xdr(pairs)).Pack());
        Assert.Equal(pairs.Select(pair => pair.Item1), fromXdr.Pairs.Select(pair => pair.Name));
        Assert.Equal(NvList.UniqueNames, fromXdr.GetList("inner")!.Flags);
        Assert.Equal(5UL, fromXdr.GetList("inner")!.GetList("deep")!.GetUInt64("deeper"));
    }

    [Fact]
    public void Any_list_survives_packing() =>
        Lists.CheckDraws(list =>
        {
            var packed = list.Pack();
            var unpacked = NvList.Unpack(packed);
            Assert.Equal(packed, unpacked.Pack());
            Assert.Equal(Text(list), Text(unpacked));
        });

    [Fact]
    public void Hostile_bytes_that_can_be_unpacked_are_packed_into_the_same_list_or_refused() =>
        Gen.Select(Lists, Gen.Int[0, 10_000], Gen.Byte)
            .CheckDraws(
                (list, at, value) =>
                {
                    var packed = list.Pack();
                    packed[at % packed.Length] = value;
                    try
                    {
                        var unpacked = NvList.Unpack(packed);
                        Assert.Equal(Text(unpacked), Text(NvList.Unpack(unpacked.Pack())));
                    }
                    catch (Exception refusal) when (refusal is FormatException or InvalidOperationException)
                    {
                        // refused, as it may be
                    }
                }
            );

    [Fact]
    public void Text_that_is_not_UTF_8_survives_packing()
    {
        byte[][] lists =
        [
            Packing.Native(("property", "abc"), ("last", 1UL)),
            Packing.Xdr(("property", "abc"), ("last", 1UL)),
        ];
        foreach (var packed in lists)
        {
            packed[packed.AsSpan().IndexOf("abc"u8)] = 0xff;
            var again = NvList.Unpack(packed).Pack();
            Assert.True(again.AsSpan().IndexOf((byte[])[0xff, (byte)'b', (byte)'c', 0, 0, 0, 0, 0]) > 0);
            Assert.Equal("\ufffdbc", NvList.Unpack(again).GetString("property"));
            Assert.Equal(1UL, NvList.Unpack(again).GetUInt64("last"));
        }
    }

    [Fact]
    public void A_pair_replaces_the_one_with_the_same_name()
    {
        Assert.Equal("1: a=5 b=two c=", Text(Small.With(NvPair.Of("a", 5UL))));
        Assert.Equal("1: a=1 b= c=", Text(Small.With(NvPair.Flag("b"))));
        Assert.Equal("1: a=1 b=two c= d=4", Text(Small.With(NvPair.Of("d", 4UL))));
        Assert.Equal("1: a=1 b=two c=", Text(Small));
        var doubled = new NvList([NvPair.Of("x", 1UL), NvPair.Of("y", 2UL), NvPair.Of("x", 3UL)], flags: 0);
        Assert.Equal("0: x=9 y=2", Text(doubled.With(NvPair.Of("x", 9UL))));
        Assert.Equal("0: y=2", Text(doubled.Without("x")));
        Assert.Equal("1: a=1 c=", Text(Small.Without("b")));
        Assert.Equal("1: a=1 b=two c=", Text(Small.Without("d")));
    }

    [Fact]
    public void The_caller_may_change_its_array_afterwards()
    {
        List<NvPair> pairs = [NvPair.Of("a", 1UL)];
        var list = new NvList(pairs);
        pairs.Clear();
        Assert.Single(list.Pairs);
    }

    [Fact]
    public void A_pair_that_cannot_be_packed_cannot_be_made()
    {
        foreach (var name in (string[])["", "a\0b", "\ufffd", "\ud800", new string('n', 32767)])
            Assert.Contains("name", Assert.Throws<ArgumentException>(() => NvPair.Flag(name)).Message);
        foreach (var text in (string[])["a\0b", "\udc00"])
            Assert.Throws<ArgumentException>(() => NvPair.Of("text", text));
        foreach (var type in (NvType[])[NvType.Boolean, NvType.UInt64, NvType.String, NvType.List, NvType.ListArray])
            Assert.Throws<ArgumentException>(() => NvPair.OfRaw("raw", type, 1, new byte[8]));
    }

    [Fact]
    public void What_was_read_and_is_not_known_is_not_packed()
    {
        var damaged = Packing.Native(("name", 1UL));
        damaged[damaged.AsSpan().IndexOf("name"u8)] = 0xff;
        byte[][] lists = [damaged, Packing.Xdr(99, 1, [0, 0, 0, 1]), Packing.Xdr(8, 0, []), Packing.Xdr(9, 0, [])];
        foreach (var packed in lists)
        {
            var refused = Assert.Throws<InvalidOperationException>(() => NvList.Unpack(packed).Pack());
            Assert.Contains("cannot be packed", refused.Message);
        }
    }

    /// <summary>Types with the value as XDR has it, and as the native encoding has it.</summary>
    public static TheoryData<NvType, int, string, int, string> Xdr =>
        new()
        {
            { NvType.Byte, 1, "000000fe", 1, "fe" },
            { NvType.Int16, 1, "fffffffe", 1, "feff" },
            { NvType.UInt16, 1, "0000fffe", 1, "feff" },
            { NvType.Int32, 1, "01020304", 1, "04030201" },
            { NvType.UInt32, 1, "01020304", 1, "04030201" },
            { NvType.Int64, 1, "0102030405060708", 1, "0807060504030201" },
            { NvType.ByteArray, 5, "0102030405000000", 5, "0102030405" },
            { NvType.Int16Array, 2, "00000002" + "00000001" + "fffffffe", 2, "0100feff" },
            { NvType.UInt32Array, 1, "00000001" + "01020304", 1, "04030201" },
            { NvType.UInt64Array, 1, "00000001" + "0102030405060708", 1, "0807060504030201" },
            { NvType.StringArray, 2, "00000002" + "61620000" + "00000000", 2, new string('0', 32) + "61620000" },
            { NvType.HighResolutionTime, 1, "0000000000000001", 1, "0100000000000000" },
            { NvType.BooleanValue, 1, "00000001", 1, "01000000" },
            { NvType.Int8, 1, "ffffffff", 1, "ff" },
            { NvType.BooleanArray, 2, "00000002" + "00000001" + "00000000", 2, "0100000000000000" },
            { NvType.UInt8Array, 3, "00000003" + "00000001" + "000000ff" + "00000003", 3, "01ff03" },
            { NvType.Double, 1, "3ff0000000000000", 1, "000000000000f03f" },
        };

    [Theory]
    [MemberData(nameof(Xdr))]
    public void Values_from_xdr_keep_their_bytes_and_can_be_packed(
        NvType type,
        int count,
        string value,
        int nativeCount,
        string native
    )
    {
        var pair = Assert.Single(NvList.Unpack(Packing.Xdr((int)type, count, Convert.FromHexString(value))).Pairs);
        Assert.Equal((type, nativeCount), (pair.Type, pair.Count));
        Assert.Equal(native, Convert.ToHexStringLower(pair.Bytes.Span));
        var again = Assert.Single(NvList.Unpack(new NvList([pair]).Pack()).Pairs);
        Assert.Equal((type, nativeCount), (again.Type, again.Count));
        Assert.Equal(native, Convert.ToHexStringLower(again.Bytes.Span[..pair.Bytes.Length]));
    }

    [Fact]
    public void Values_are_given_as_the_types_they_have()
    {
        Assert.Equal(-2, Int64(NvType.Int16, "fffffffe"));
        Assert.Equal(0xfffe, Int64(NvType.UInt16, "0000fffe"));
        Assert.Equal(-1, Int64(NvType.Int8, "ffffffff"));
        Assert.Equal(255, Int64(NvType.UInt8, "000000ff"));
        Assert.Equal(0x01020304, Int64(NvType.Int32, "01020304"));
        Assert.Equal(0xfffffffe, Int64(NvType.UInt32, "fffffffe"));
        Assert.Equal(-2, Int64(NvType.Int64, "fffffffffffffffe"));
        var list = NvList.Unpack(
            new NvList([
                NvPair.Flag("flag"),
                NvPair.OfRaw("no", NvType.BooleanValue, 1, new byte[4]),
                NvPair.OfBytes("bytes", [1, 2, 3]),
                NvPair.Of("numbers", [1UL, 2UL]),
                NvPair.Of("lists", (IEnumerable<NvList>)[Small, Small]),
            ]).Pack()
        );
        Assert.Equal((true, false, false), (list.GetFlag("flag"), list.GetFlag("no"), list.GetFlag("nothing")));
        Assert.Equal([1, 2, 3], list.GetBytes("bytes")!.Value.ToArray());
        Assert.Equal([1UL, 2UL], list.GetUInt64Array("numbers")!);
        Assert.Equal(2, list.Find("lists")!.Lists.Count);
        Assert.Null(list.GetUInt64Array("bytes"));
        Assert.Null(list.GetBytes("numbers"));
        Assert.Null(list.GetList("lists"));
        Assert.Null(list.GetUInt64("flag"));
    }

    [Fact]
    public void The_keys_of_a_raw_stream_can_be_edited_whichever_encoding_they_came_in()
    {
        var keys = new NvList([
            NvPair.Of("DSL_CRYPTO_GUID", 5UL),
            NvPair.OfRaw("DSL_CRYPTO_MASTER_KEY_1", NvType.UInt8Array, 3, [1, 2, 3]),
        ]);
        var native = new NvList([NvPair.Of("crypt_keydata", keys)]);
        var xdr = NvList.Unpack(
            Packing.Xdr(
                (
                    "crypt_keydata",
                    new (string, object)[]
                    {
                        ("DSL_CRYPTO_GUID", 5UL),
                        ("DSL_CRYPTO_MASTER_KEY_1", new byte[] { 1, 2, 3 }),
                    }
                )
            )
        );
        Assert.Equal(Convert.ToHexString(native.Pack()), Convert.ToHexString(xdr.Pack()));
    }

    [Fact]
    public void The_longest_name_can_be_packed()
    {
        var name = new string('n', 32766);
        Assert.Equal(name, Assert.Single(NvList.Unpack(new NvList([NvPair.Flag(name)]).Pack()).Pairs).Name);
    }

    [Fact]
    public void Lists_nested_too_deep_are_refused()
    {
        var allowed = Enumerable
            .Range(0, NvList.MaxDepth)
            .Aggregate(Small, (inner, _) => new NvList([NvPair.Of("l", inner)]));
        Assert.Equal(Text(allowed), Text(NvList.Unpack(allowed.Pack())));
        Assert.Throws<InvalidOperationException>(() => new NvList([NvPair.Of("l", allowed)]).Pack());
    }

    private static Gen<NvPair> Pairs<T>(Gen<T> values, Func<string, T, NvPair> make) =>
        Gen.Select(Names, values).Select(make);

    private static long Int64(NvType type, string xdr)
    {
        var pair = Assert.Single(NvList.Unpack(Packing.Xdr((int)type, 1, Convert.FromHexString(xdr))).Pairs);
        Assert.True(pair.TryGetInt64(out var value));
        return value;
    }

    private static string Text(NvList list) =>
        $"{list.Flags}: {string.Join(' ', list.Pairs.Select(pair => $"{pair.Name}={Text(pair)}"))}";

    private static string Text(NvPair pair) =>
        pair.Type switch
        {
            NvType.List or NvType.ListArray => string.Join(',', pair.Lists.Select(list => $"({Text(list)})")),
            NvType.UInt64 when pair.TryGetUInt64(out var number) => $"{number}",
            NvType.UInt64Array when pair.TryGetUInt64Array(out var numbers) => string.Join(',', numbers),
            NvType.String when pair.TryGetString(out var text) => text,
            NvType.Boolean => "",
            _ => $"{pair.Count}*{Convert.ToHexStringLower(pair.Bytes.Span)}{Padding(pair.Bytes.Length)}",
        };

    /// <summary>What packing adds to bytes of this length, in hex.</summary>
    private static string Padding(int length) => new('0', 2 * (-length & 7));

    /// <summary>The payloads of the BEGIN records of a whole stream.</summary>
    private static List<byte[]> BeginPayloads(byte[] stream)
    {
        List<byte[]> payloads = [];
        var (parser, start) = (new SendStreamParser(), 0);
        ReadOnlySpan<byte> input = stream;
        for (
            var found = parser.Read(ref input, out _);
            found != ParserEvent.EndOfStream;
            found = parser.Read(ref input, out _)
        )
        {
            if (found != ParserEvent.EndOfRecord)
                continue;
            var record = stream.AsSpan(start, (int)parser.StreamOffset - start);
            if (BitConverter.ToInt32(record) == 0 && record.Length > RecordHeader.Size)
                payloads.Add(record[RecordHeader.Size..].ToArray());
            start = (int)parser.StreamOffset;
        }

        return payloads;
    }
}
