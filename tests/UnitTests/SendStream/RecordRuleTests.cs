using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>Streams with correct checksums and invalid fields.</summary>
public sealed class RecordRuleTests
{
    public static TheoryData<string, int, ulong, int> ObjectFields =>
        new()
        {
            { "object type 0", 8, 0, 4 },
            { "object type 54", 8, 54, 4 },
            { "object type 138, a byte swap too far", 8, 0x8a, 4 },
            { "object type 256", 8, 256, 4 },
            { "bonus type 100", 12, 100, 4 },
            { "block size 0", 16, 0, 4 },
            { "block size 513", 16, 513, 4 },
            { "block size above 16 MiB", 16, (16 << 20) + 512, 4 },
            { "bonus of 16193 bytes", 20, 16193, 4 },
            { "compression 128", 25, 128, 1 },
            { "33 slots", 26, 33, 1 },
            { "flags 1", 27, 1, 1 },
            { "raw bonus", 28, 8, 4 },
            { "indirect blocks", 40, 12, 1 },
            { "levels", 41, 1, 1 },
            { "block pointers", 42, 1, 1 },
        };

    public static TheoryData<string, int, ulong, int> RawObjectFields =>
        new()
        {
            { "a raw bonus smaller than the bonus", 28, 316, 4 },
            { "a raw bonus larger than the dnode", 28, 324, 4 },
            { "indirect blocks above 16 MiB", 40, 25, 1 },
            { "13 levels", 41, 13, 1 },
            { "4 block pointers", 42, 4, 1 },
        };

    public static TheoryData<string, int, ulong, int> WriteFields =>
        new()
        {
            { "object type 54", 8, 54, 4 },
            { "a logical size of 0", 24, 0, 8 },
            { "a logical size of 100", 24, 100, 8 },
            { "a logical size above 16 MiB", 24, (16 << 20) + 512, 8 },
            { "a logical size beyond 63 bits", 24, ulong.MaxValue - 511, 8 },
            { "a compressed size of 0", 88, 0, 8 },
            { "a compressed size above the logical one", 88, 1028, 8 },
            { "a compressed size beyond 63 bits", 88, ulong.MaxValue - 3, 8 },
            { "a compressed size of half a word", 88, 66, 8 },
            { "an offset too far", 16, ulong.MaxValue - 511, 8 },
        };

    public static TheoryData<string, int, ulong, int> SpillFields =>
        new()
        {
            { "a length of 0", 8, 0, 8 },
            { "a length of 511", 8, 511, 8 },
            { "a length above 16 MiB", 8, (16 << 20) + 4, 8 },
            { "a length beyond 63 bits", 8, ulong.MaxValue, 8 },
            { "a compressed size above the length", 32, 516, 8 },
            { "a compressed size of half a word", 32, 6, 8 },
        };

    public static TheoryData<string, int, ulong, int> EmbeddedFields =>
        new()
        {
            { "113 bytes", 44, 113, 4 },
            { "4 GiB", 44, uint.MaxValue, 4 },
            { "embedded type 3", 33, 3, 1 },
            { "compression 128", 32, 128, 1 },
            { "a length above 16 MiB", 16, (16 << 20) + 1, 8 },
            { "an unpacked size above 16 MiB", 40, (16 << 20) + 1, 4 },
            { "an offset too far", 8, ulong.MaxValue - 511, 8 },
        };

    public static TheoryData<string, int, ulong, int> BeginFields =>
        new()
        {
            { "header type 0", 8, 0, 1 },
            { "header type 3", 8, 3, 1 },
            { "a creation time beyond the year 9999", 16, 253402300800, 8 },
            { "dataset type 0", 24, 0, 4 },
            { "dataset type 1, the pool's own", 24, 1, 4 },
            { "dataset type 4", 24, 4, 4 },
            { "no name", 48, 0, 1 },
            { "a name that is no UTF-8", 48, 0xff, 1 },
        };

    [Fact]
    public void A_spill_block_sent_as_data_would_be_lost_on_receive()
    {
        // The offset of block -2, as zfs send -e writes it (docs/decisions/0012); blocks here have 512 bytes.
        var lost = new StreamBuilder().Begin().Object(1, []).WriteEmbedded(1, unchecked(0UL - 1024), new byte[8]).End();
        Verifying.AssertRefused(SendStreamError.LostOnReceive, lost.ToArray());
        _ = Verifying.Verify(
            new StreamBuilder()
                .Begin()
                .Object(1, [])
                .WriteEmbedded(1, unchecked(0UL - 1536), new byte[8])
                .End()
                .ToArray()
        );
    }

    [Theory]
    [MemberData(nameof(ObjectFields))]
    public void An_object_is_refused_with(string what, int offset, ulong value, int width) =>
        AssertBad(what, new StreamBuilder().Begin().Object(1, [1, 2], change: Change(offset, value, width)).End());

    [Theory]
    [MemberData(nameof(RawObjectFields))]
    public void A_raw_object_is_refused_with(string what, int offset, ulong value, int width) =>
        AssertBad(
            what,
            Raw()
                .ObjectRange(0)
                .Object(1, StreamBuilder.Noise(320, 1), raw: true, change: Change(offset, value, width))
                .End()
        );

    [Theory]
    [MemberData(nameof(WriteFields))]
    public void A_write_is_refused_with(string what, int offset, ulong value, int width) =>
        AssertBad(
            what,
            new StreamBuilder()
                .Begin()
                .Write(1, 0, new byte[64], compression: 15, logicalSize: 1024, change: Change(offset, value, width))
                .End()
        );

    [Theory]
    [MemberData(nameof(SpillFields))]
    public void A_spill_is_refused_with(string what, int offset, ulong value, int width) =>
        AssertBad(what, new StreamBuilder().Begin().Spill(1, new byte[512], Change(offset, value, width)).End());

    [Theory]
    [MemberData(nameof(EmbeddedFields))]
    public void An_embedded_write_is_refused_with(string what, int offset, ulong value, int width) =>
        AssertBad(
            what,
            new StreamBuilder().Begin().WriteEmbedded(1, 0, new byte[8], Change(offset, value, width)).End()
        );

    [Theory]
    [MemberData(nameof(BeginFields))]
    public void A_begin_is_refused_with(string what, int offset, ulong value, int width) =>
        AssertBad(what, new StreamBuilder().Begin(change: Change(offset, value, width)).End());

    [Fact]
    public void Ranges_beyond_64_bits_are_refused()
    {
        AssertBad("FREEOBJECTS", new StreamBuilder().Begin().FreeObjects(ulong.MaxValue, 2).End());
        AssertBad("FREE", new StreamBuilder().Begin().Free(1, ulong.MaxValue - 1, offset: 2).End());
        AssertBad("REDACT", new StreamBuilder().Begin().Redact(1, 2, ulong.MaxValue - 1).End());
        AssertBad("WRITE_BYREF", Begun(StreamFeatures.Dedup).WriteByRef(1, 2, ulong.MaxValue - 1).End());
        Verifying.Verify(new StreamBuilder().Begin().Free(1, ulong.MaxValue, offset: 2).End().ToArray());
    }

    [Fact]
    public void Records_that_the_begin_does_not_announce_are_refused()
    {
        AssertBad("WRITE_BYREF without deduplication", new StreamBuilder().Begin().WriteByRef(1, 0, 512).End());
        AssertBad("OBJECT_RANGE in a plain stream", new StreamBuilder().Begin().ObjectRange(0).End());
        AssertBad("WRITE_EMBEDDED in a raw stream", Raw().WriteEmbedded(1, 0, new byte[8]).End());
        AssertBad(
            "an undeclared spill flag",
            new StreamBuilder().Begin(flags: 4).Object(1, [], change: Change(27, 4, 1)).End()
        );
        AssertBad("a raw spill that is not compressed", Raw().Spill(1, new byte[512]).End());
        AssertBad(
            "embedded data announced in a raw stream",
            Begun(StreamFeatures.Raw | StreamFeatures.EmbedData).End()
        );
        AssertBad("a raw stream without keys", Begun(StreamFeatures.Raw).End());
        AssertBad("a resumed stream without its place", Begun(StreamFeatures.Resuming).End());
        AssertBad(
            "a resumed stream with half its place",
            Begun(StreamFeatures.Resuming, Packing.Native(("resume_object", 1UL))).End()
        );
        Verifying.Verify(new StreamBuilder().Begin().Object(1, [], change: Change(27, 4, 1)).End().ToArray());
    }

    [Fact]
    public void A_raw_object_must_lie_in_its_range()
    {
        var bonus = StreamBuilder.Noise(320, 1);
        Verifying.AssertRefused(SendStreamError.UnexpectedRecord, Raw().Object(1, bonus, raw: true).End().ToArray());
        Verifying.AssertRefused(
            SendStreamError.UnexpectedRecord,
            Raw().ObjectRange(32).Object(31, bonus, raw: true).End().ToArray()
        );
        Verifying.AssertRefused(
            SendStreamError.UnexpectedRecord,
            Raw().ObjectRange(32).Object(64, bonus, raw: true).End().ToArray()
        );
        AssertBad("a range from 1 on", Raw().ObjectRange(1).End());
        AssertBad("a range of 31", Raw().ObjectRange(0, slots: 31).End());
    }

    [Fact]
    public void Streams_with_features_that_are_not_known_are_not_supported()
    {
        foreach (var bit in (int[])[3, 15, 18, 30, 55])
            Verifying.AssertRefused(SendStreamError.Unsupported, Begun((StreamFeatures)(1UL << bit)).End().ToArray());
        Verifying.AssertRefused(
            SendStreamError.Unsupported,
            new StreamBuilder().Begin(features: StreamFeatures.Raw, flags: 4).End().ToArray()
        );
    }

    [Fact]
    public void A_name_without_its_nul_is_refused() =>
        AssertBad(
            "a name of 256 bytes",
            new StreamBuilder().Begin(change: fields => fields.AsSpan(48).Fill((byte)'a')).End()
        );

    [Fact]
    public void The_longest_name_is_accepted()
    {
        var name = "tank@" + new string('a', 250);
        Assert.Equal(
            name,
            Verifying.Verify(new StreamBuilder().Begin(name: name).End().ToArray()).Begin.FullSnapshotName
        );
    }

    [Fact]
    public void A_payload_of_begin_that_is_no_list_is_refused()
    {
        AssertBad("noise", new StreamBuilder().Begin(payload: StreamBuilder.Noise(64, 9)).End());
        AssertBad("half a word", new StreamBuilder().Begin(payload: new byte[6]).End());
        AssertBad(
            "noise in a package",
            new StreamBuilder().PackageBegin(payload: StreamBuilder.Noise(64, 9)).PackageEnd().PackageClose()
        );
        var fault = Verifying.Refused(
            new StreamBuilder().Begin(payload: Packing.Native(("a", 1UL))[..^4]).End().ToArray()
        );
        Assert.IsType<FormatException>(fault.InnerException);
    }

    [Fact]
    public void Fields_that_a_package_leaves_empty_must_be_empty()
    {
        foreach (var at in (int[])[312 + 4, 312 + 40, 312 + 279, 312 + 311])
        {
            var records = new StreamBuilder().PackageBegin(payload: []).PackageEnd().PackageClose().ToArray();
            records[at] = 1;
            Verifying.AssertRefused(SendStreamError.BadRecord, records);
        }
    }

    private static StreamBuilder Begun(StreamFeatures features, byte[]? payload = null) =>
        new StreamBuilder().Begin(features: features, payload: payload);

    /// <summary>Source: module/zfs/dsl_crypt.c, dsl_crypto_recv_raw_objset_check.</summary>
    [Theory]
    [InlineData(null)]
    [InlineData(0UL)]
    public void A_raw_incremental_without_the_iv_set_of_its_base_is_refused(ulong? from)
    {
        (string, object)[] keys = from is { } guid
            ? [("to_ivset_guid", 5UL), ("from_ivset_guid", guid)]
            : [("to_ivset_guid", 5UL)];
        byte[][] payloads = [Packing.Native(("crypt_keydata", keys)), Packing.Xdr(("crypt_keydata", keys))];

        foreach (var payload in payloads)
        {
            Verifying.AssertRefused(SendStreamError.RefusedOnReceive, Incremental(payload, flags: 4 | 8));
            _ = Verifying.Verify(Incremental(payload, flags: 1 | 4 | 8)); // a clone is not compared with its origin
            _ = Verifying.Verify(Incremental(payload, flags: 4 | 8, baseGuid: 0)); // nor has a full stream a base
        }

        _ = Verifying.Verify(
            Incremental(Packing.Native(("crypt_keydata", ((string, object)[])[("from_ivset_guid", 4UL)])), flags: 4 | 8)
        );
    }

    private static byte[] Incremental(byte[] payload, uint flags, ulong baseGuid = 7) =>
        new StreamBuilder()
            .Begin(8, baseGuid, features: StreamFeatures.Raw, flags: flags, payload: payload)
            .End()
            .ToArray();

    private static StreamBuilder Raw() =>
        Begun(StreamFeatures.Raw, Packing.Native(("crypt_keydata", new (string, object)[] { ("x", 1UL) })));

    private static Action<byte[]> Change(int offset, ulong value, int width) =>
        fields => BitConverter.GetBytes(value).AsSpan(0, width).CopyTo(fields.AsSpan(offset));

    private static void AssertBad(string what, StreamBuilder built)
    {
        var fault = Verifying.Refused(built.ToArray());
        Assert.True(fault.Error == SendStreamError.BadRecord, $"{what}: {fault.Message}");
    }
}
