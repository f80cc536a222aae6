using CsCheck;
using ZfsSnapshotManager.SendStream.NvLists;

namespace ZfsSnapshotManager.UnitTests.SendStream;

public sealed class NvListTests
{
    private static readonly (string, object)[] Pairs =
    [
        ("number", 12345678901234567890UL),
        ("text", "größe"),
        ("flag", true),
        ("numbers", new ulong[] { 1, 2, 3 }),
        ("inner", new (string, object)[] { ("deep", new (string, object)[] { ("deeper", 5UL) }), ("after", 6UL) }),
        ("many", new (string, object)[][] { [("a", 1UL)], [], [("b", "two")] }),
        ("last", 7UL),
    ];

    public static TheoryData<byte[]> Encodings => [Packing.Native(Pairs), Packing.Xdr(Pairs)];

    [Theory]
    [MemberData(nameof(Encodings))]
    public void A_list_is_unpacked(byte[] packed)
    {
        var list = NvList.Unpack(packed);
        Assert.Equal(
            ["number", "text", "flag", "numbers", "inner", "many", "last"],
            list.Pairs.Select(pair => pair.Name)
        );
        Assert.Equal(12345678901234567890UL, list.GetUInt64("number"));
        Assert.Equal("größe", list.GetString("text"));
        Assert.True(list.Contains("flag"));
        Assert.Equal([1UL, 2UL, 3UL], list.GetUInt64Array("numbers")!);
        Assert.Equal(5UL, list.GetList("inner")!.GetList("deep")!.GetUInt64("deeper"));
        Assert.Equal(6UL, list.GetList("inner")!.GetUInt64("after"));
        Assert.Equal(
            ["a", "", "b"],
            list.Pairs[5].Lists.Select(inner => inner.Pairs is [var first, ..] ? first.Name : "")
        );
        Assert.Equal(7UL, list.GetUInt64("last"));
        Assert.Null(list.GetUInt64("text"));
        Assert.Null(list.GetString("no such name"));
    }

    [Theory]
    [MemberData(nameof(Encodings))]
    public void A_truncated_list_is_refused_at_every_length(byte[] packed)
    {
        for (var length = 0; length < packed.Length; length++)
            Assert.Throws<FormatException>(() => NvList.Unpack(packed.AsSpan(0, length)));
    }

    [Theory]
    [MemberData(nameof(Encodings))]
    public void Hostile_bytes_do_no_harm(byte[] packed) =>
        Gen.Select(Gen.Int[0, packed.Length - 1], Gen.Byte, Gen.Int[0, packed.Length - 1], Gen.Byte)
            .CheckDraws(
                (at, value, at2, value2) =>
                {
                    var hostile = (byte[])packed.Clone();
                    (hostile[at], hostile[at2]) = (value, value2);
                    try
                    {
                        NvList.Unpack(hostile);
                    }
                    catch (FormatException)
                    {
                        // refused, which is allowed: nothing else may be thrown, and the call must return
                    }
                }
            );

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Lists_nested_too_deep_are_refused(bool xdr)
    {
        var innermost = new (string, object)[] { ("x", 1UL) };
        var allowed = Enumerable.Range(0, NvList.MaxDepth).Aggregate(innermost, (inner, _) => [("l", inner)]);
        (string, object)[] tooDeep = [("l", allowed)];
        Assert.Single(NvList.Unpack(xdr ? Packing.Xdr(allowed) : Packing.Native(allowed)).Pairs);
        Assert.Throws<FormatException>(() => NvList.Unpack(xdr ? Packing.Xdr(tooDeep) : Packing.Native(tooDeep)));
    }

    [Fact]
    public void A_huge_count_allocates_nothing()
    {
        byte[] xdr = Packing.Xdr(("many", new (string, object)[][] { [] }));
        var counted = xdr.AsSpan().IndexOf((byte[])[0, 0, 0, 20, 0, 0, 0, 1]) + 4;
        (xdr[counted], xdr[counted + 1]) = (0x7f, 0xff);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<FormatException>(() => NvList.Unpack(xdr));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * 1024);
    }

    [Fact]
    public void Other_encodings_are_refused()
    {
        var packed = Packing.Native(Pairs);
        packed[1] = 0;
        Assert.Contains("big-endian", Assert.Throws<FormatException>(() => NvList.Unpack(packed)).Message);
        packed[0] = 2;
        Assert.Contains("encoding 2", Assert.Throws<FormatException>(() => NvList.Unpack(packed)).Message);
    }

    [Fact]
    public void Text_that_is_not_UTF_8_is_read_with_replacements()
    {
        var packed = Packing.Native(("property", "abc"));
        packed[packed.AsSpan().IndexOf("abc"u8)] = 0xff;
        Assert.Equal("\ufffdbc", NvList.Unpack(packed).GetString("property"));
    }
}
