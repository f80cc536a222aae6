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
                            : Gen.OneOf(FlatPairs, Pairs(inner, NvPair.Of), Pairs(inner.Array[0, 3], Of))
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
                        new NvPair(
                            name,
                            (NvType)type,
                            new NvRaw(count, words.SelectMany(word => Enumerable.Repeat(word, 8)).ToArray())
                        )
                )
        );

    public static TheoryData<string> Streams => [.. RecordedStream.Whole.Select(stream => stream.File)];

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
    public void Some_real_lists_have_nested_lists_and_unparsed_types()
    {
        var lists = RecordedStream
            .Whole.SelectMany(stream => BeginPayloads(stream.Bytes))
            .Where(payload => payload[0] == 0)
            .Select(payload => NvList.Unpack(payload))
            .ToList();
        Assert.True(lists.Count > 5, $"{lists.Count} lists");
        Assert.Contains(lists, list => list.Pairs.Any(pair => pair.Type == NvType.List));
        Assert.Contains(lists, list => list.Pairs.Any(pair => pair.Type == NvType.UInt64Array));
        Assert.Contains(lists.SelectMany(list => list.Pairs).Select(pair => pair.Value).OfType<NvList>(), inner =>
            inner.Pairs.Any(pair => pair is { Type: NvType.UInt8Array, Value: NvRaw { Count: > 0 } })
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

    public static TheoryData<string, NvType, object?> Impossible =>
        new()
        {
            { "", NvType.Boolean, null },
            { "a\0b", NvType.Boolean, null },
            { "\ufffd", NvType.Boolean, null },
            { "\ud800", NvType.Boolean, null },
            { new string('n', 32767), NvType.Boolean, null },
            { "text", NvType.String, "a\0b" },
            { "text", NvType.String, "\udc00" },
            { "text", NvType.String, 1UL },
            { "number", NvType.UInt64, 1 },
            { "number", NvType.UInt64, new NvRaw(1, new byte[8]) },
            { "flag", NvType.Boolean, 1UL },
            { "not kept", NvType.UInt8Array, null },
        };

    [Theory]
    [MemberData(nameof(Impossible))]
    public void A_list_that_cannot_be_packed_is_refused(string name, NvType type, object? value)
    {
        var list = new NvList([new NvPair(name, type, value)]);
        Assert.Contains("cannot be packed", Assert.Throws<InvalidOperationException>(() => list.Pack()).Message);
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

    private static NvPair Of(string name, NvList[] lists) => new(name, NvType.ListArray, lists);

    private static string Text(NvList list) =>
        $"{list.Flags}: {string.Join(' ', list.Pairs.Select(pair => $"{pair.Name}={Text(pair.Value)}"))}";

    private static string Text(object? value) =>
        value switch
        {
            NvList list => $"({Text(list)})",
            NvList[] lists => string.Join(',', lists.Select(list => $"({Text(list)})")),
            ulong[] numbers => string.Join(',', numbers),
            NvRaw raw => $"{raw.Count}*{Convert.ToHexStringLower(raw.Bytes.Span)}",
            _ => $"{value}",
        };

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
