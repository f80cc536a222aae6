using System.IO.Compression;
using System.Text.Json;
using CsCheck;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.NvLists;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>
/// Resume tokens: those of a real ZFS (tests/streams/record-tokens), made ones, damaged and hostile ones.
/// </summary>
public sealed class ResumeTokenTests
{
    private static readonly (string, object)[] Fields =
    [
        ("object", 3UL),
        ("offset", 4UL),
        ("bytes", 5UL),
        ("toguid", 6UL),
        ("toname", "tank/a@b"),
    ];

    private static readonly Lazy<JsonElement> Recorded = new(() =>
    {
        using var document = JsonDocument.Parse(
            File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "streams", "tokens.json"))
        );
        return document.RootElement.Clone();
    });

    private static readonly Gen<string> Names = Gen.OneOf(
        Gen.String[
            Gen.OneOf(Gen.Char['a', 'z'], Gen.Char['A', 'Z'], Gen.Char['0', ':'], Gen.Const('/'), Gen.Const('@')),
            1,
            255
        ],
        Gen.String[Gen.Char['m', 'n'], 1, 255]
    );

    private static readonly Gen<NvPair[]> OtherPairs = Gen.OneOf(
        Gen.Const(Array.Empty<NvPair>()),
        Gen.ULong.Array[0, 500].Select(guids => (NvPair[])[NvPair.Of("redact_snaps", guids)]),
        Gen.Byte.Array[0, 400].Select(bytes => (NvPair[])[NvPair.Flag("savedok"), NvPair.OfBytes("later", bytes)])
    );

    private static readonly Gen<ResumeToken> Tokens = Gen.Select(
            Gen.OneOf(Gen.Const((ulong?)null), Gen.ULong[1, ulong.MaxValue].Select(guid => (ulong?)guid)),
            Gen.ULong.Array[4],
            Names,
            Gen.Bool.Array[4],
            OtherPairs
        )
        .Select(
            (from, numbers, name, flags, others) =>
                new ResumeToken
                {
                    BaseGuid = from,
                    Object = numbers[0] >> 30,
                    Offset = numbers[1] >> 20,
                    Bytes = numbers[2] >> 25,
                    SnapshotGuid = numbers[3],
                    FullSnapshotName = name,
                    LargeBlocks = flags[0],
                    Embedded = flags[1],
                    Compressed = flags[2],
                    Raw = flags[3],
                    OtherPairs = others,
                }
        );

    public static TheoryData<string> CutStreams => [.. Cuts.Select(cut => cut.GetProperty("file").GetString()!)];

    private static IEnumerable<JsonElement> Cuts => Recorded.Value.GetProperty("cuts").EnumerateArray();

    /// <summary>All recorded tokens.</summary>
    private static IEnumerable<string> All =>
        Cuts.SelectMany(cut => cut.GetProperty("tokens").EnumerateArray())
            .Concat(Recorded.Value.GetProperty("others").EnumerateArray())
            .Select(token => token.GetProperty("token").GetString()!);

    [Fact]
    public void Tokens_of_zfs_are_printed_again_as_they_were()
    {
        Assert.True(All.Count() >= 200, "tokens are missing");
        foreach (var token in All)
            Assert.Equal(token, ResumeToken.Parse(token).ToString());
    }

    [Theory]
    [MemberData(nameof(CutStreams))]
    public void Tokens_of_zfs_name_what_was_interrupted(string file)
    {
        var cut = Cuts.Single(cut => cut.GetProperty("file").GetString() == file);
        var stream = RecordedStream.All[file];
        Assert.True(
            stream.Sha256 == cut.GetProperty("sha256").GetString(),
            "recorded anew: run tests/streams/record-tokens, too"
        );
        foreach (var recorded in cut.GetProperty("tokens").EnumerateArray())
        {
            var token = ResumeToken.Parse(recorded.GetProperty("token").GetString()!);
            Assert.Equal(
                (stream.Guid, stream.BaseGuid, stream.Snapshot),
                (token.SnapshotGuid, token.BaseGuid, token.FullSnapshotName)
            );
            Assert.InRange(token.Bytes, 1UL, recorded.GetProperty("bytes").GetUInt64());
            var features = (StreamFeatures)stream.Features;
            Assert.Equal(
                (features.HasFlag(StreamFeatures.LargeBlocks), features.HasFlag(StreamFeatures.EmbedData)),
                (token.LargeBlocks, token.Embedded)
            );
            Assert.Equal(
                (features.HasFlag(StreamFeatures.Compressed), features.HasFlag(StreamFeatures.Raw)),
                (token.Compressed, token.Raw)
            );
            Assert.Equal(
                features.HasFlag(StreamFeatures.Redacted) ? ["redact_snaps"] : [],
                token.OtherPairs.Select(pair => pair.Name)
            );
        }
    }

    [Fact]
    public void Tokens_of_redacted_sends_keep_their_pairs()
    {
        var names = All.SelectMany(token => ResumeToken.Parse(token).OtherPairs).Select(pair => pair.Name).Distinct();
        Assert.Equal(["book_redact_snaps", "redact_snaps"], names.Order());
    }

    [Fact]
    public void A_changed_character_is_always_detected()
    {
        var random = RandomTest.Random();
        foreach (var token in All)
        {
            for (var at = 0; at < token.Length; at++)
            {
                // one of the same kind, which is the hardest to notice, and any
                AssertRefused(Replaced(token, at, "0123456789abcdef"[random.Next(16)]));
                AssertRefused(Replaced(token, at, (char)random.Next(256)));
            }
        }

        static void AssertRefused(string? damaged)
        {
            if (damaged is not null)
                Assert.Throws<FormatException>(() => ResumeToken.Parse(damaged));
        }
    }

    [Fact]
    public void Every_digit_of_the_end_counts_though_the_checksum_leaves_it_out()
    {
        var tails = new HashSet<int>();
        foreach (var token in All.Take(50))
        {
            Assert.True(tails.Add(token.Split('-')[3].Length / 2 % 4) || tails.Count > 0);
            foreach (var digit in "0123456789abcdef")
            {
                for (var at = token.Length - 8; at < token.Length; at++)
                    Assert.Equal(token[at] == digit, ResumeToken.TryParse(Replaced(token, at, digit) ?? token, out _));
            }
        }

        Assert.Equal(4, tails.Count);
    }

    [Fact]
    public void A_truncated_token_is_refused_at_every_length()
    {
        foreach (var token in All.Take(20))
        {
            for (var length = 0; length < token.Length; length++)
                Assert.False(ResumeToken.TryParse(token[..length], out _), token[..length]);
            foreach (var more in (string[])["0", "00", "000000", "00000000", " ", "-", "\n"])
                Assert.False(ResumeToken.TryParse(token + more, out _), more);
            Assert.False(ResumeToken.TryParse(" " + token, out _));
        }
    }

    [Fact]
    public void Reordered_words_are_detected_although_their_checksum_is_the_same()
    {
        var random = RandomTest.Random();
        foreach (var token in All)
        {
            var parts = token.Split('-');
            var words = parts[3].Chunk(8).Select(word => new string(word)).ToArray();
            random.Shuffle(words.AsSpan(0, words.Length - 1));
            var shuffled = $"{parts[0]}-{parts[1]}-{parts[2]}-{string.Concat(words)}";
            Assert.True(shuffled == token || !ResumeToken.TryParse(shuffled, out _));
        }
    }

    [Fact]
    public void The_content_of_a_token_is_read_back() =>
        Tokens.CheckDraws(token =>
        {
            var read = ResumeToken.Parse(token.ToString());
            Assert.Equal(token.ToString(), read.ToString());
            Assert.Equal(token, read);
            Assert.Equal(token.GetHashCode(), read.GetHashCode());
            Assert.Equal(
                (token.BaseGuid, token.Object, token.Offset, token.Bytes),
                (read.BaseGuid, read.Object, read.Offset, read.Bytes)
            );
            Assert.Equal((token.SnapshotGuid, token.FullSnapshotName), (read.SnapshotGuid, read.FullSnapshotName));
            Assert.Equal((token.LargeBlocks, token.Embedded), (read.LargeBlocks, read.Embedded));
            Assert.Equal((token.Compressed, token.Raw), (read.Compressed, read.Raw));
            Assert.Equal(token.OtherPairs.Select(pair => pair.Name), read.OtherPairs.Select(pair => pair.Name));
        });

    [Fact]
    public void Tokens_with_different_content_are_not_equal() =>
        Tokens
            .Array[2]
            .CheckDraws(two =>
            {
                Assert.Equal(two[0].ToString() == two[1].ToString(), two[0] == two[1]);
                Assert.NotEqual(two[0], two[0] with { Bytes = two[0].Bytes ^ 1 });
                Assert.NotEqual(two[0], two[0] with { Raw = !two[0].Raw });
                Assert.Equal(two[0], two[0] with { OtherPairs = [.. two[0].OtherPairs] });
            });

    [Fact]
    public void A_list_from_another_program_is_read_in_any_order()
    {
        var packed = Packing.Native([
            ("rawok", true),
            .. Enumerable.Reverse(Fields),
            ("new", "pair"),
            ("fromguid", 9UL),
        ]);
        var token = ResumeToken.Parse(Token(packed));
        Assert.Equal((9UL, 3UL, 4UL, 5UL), (token.BaseGuid, token.Object, token.Offset, token.Bytes));
        Assert.Equal((6UL, "tank/a@b", true), (token.SnapshotGuid, token.FullSnapshotName, token.Raw));
        Assert.Equal("new", Assert.Single(token.OtherPairs).Name);
        Assert.Equal(token, ResumeToken.Parse(token.ToString()));
    }

    public static TheoryData<string, string> NoTokens =>
        new()
        {
            { "", "expected VERSION-CHECKSUM-LENGTH-DATA" },
            { "1-2-3", "expected VERSION-CHECKSUM-LENGTH-DATA" },
            { "1-2-3-4-5", "expected VERSION-CHECKSUM-LENGTH-DATA" },
            { "2-0-b8-", "version \"2\"" },
            { "01-0-b8-", "version \"01\"" },
            { "1--b8-", "checksum \"\"" },
            { "1-00-b8-", "checksum \"00\"" },
            { "1-+1-b8-", "checksum \"+1\"" },
            { "1-0x1-b8-", "checksum \"0x1\"" },
            { "1-A-b8-", "checksum \"A\"" },
            { "1-11112222333344445-b8-", "checksum" },
            { "1-0--", "length \"\"" },
            { "1-0-2001-", "8193 bytes unpacked; expected at most 8192" },
            { "1-0-100000000-", "4294967296 bytes unpacked; expected at most 8192" },
            { "1-0-ffffffffffffffff-", "18446744073709551615 bytes unpacked; expected at most 8192" },
            { "1-0-b8-0", "no hexadecimal bytes" },
            { "1-0-b8-0g", "no hexadecimal bytes" },
            { "1-0-b8-0A", "no hexadecimal bytes" },
            { "1-1-b8-00", "checksum 1; its data have 0" },
            { "1-0-b8-", "of 184 bytes unpacked, but it has 0" },
            { "1-4030201-b8-01020304", "cannot be decompressed" },
        };

    [Theory]
    [MemberData(nameof(NoTokens))]
    public void Anything_but_a_token_is_refused_with_the_reason(string text, string reason)
    {
        Assert.Contains(reason, Assert.Throws<FormatException>(() => ResumeToken.Parse(text)).Message);
        Assert.False(ResumeToken.TryParse(text, out var none));
        Assert.Null(none);
    }

    [Fact]
    public void Null_is_not_a_token()
    {
        Assert.False(ResumeToken.TryParse(null, out _));
        Assert.Throws<ArgumentNullException>(() => ResumeToken.Parse(null!));
    }

    [Theory]
    [InlineData("object")]
    [InlineData("offset")]
    [InlineData("bytes")]
    [InlineData("toguid")]
    [InlineData("toname")]
    public void A_missing_wrong_or_doubled_pair_is_refused(string name)
    {
        var others = Fields.Where(field => field.Item1 != name).ToArray();
        Assert.Contains($"without \"{name}\"", Refused(Token(Packing.Native(others))));
        Assert.Contains($"whose \"{name}\" is no", Refused(Token(Packing.Native([.. others, (name, true)]))));
        var field = Fields.Single(field => field.Item1 == name);
        Assert.Contains($"two pairs named \"{name}\"", Refused(Token(Packing.Native([.. Fields, field]))));
    }

    [Fact]
    public void Pairs_that_no_token_of_zfs_has_are_refused()
    {
        Assert.Contains("whose \"rawok\" is no Boolean", Refused(Token(Packing.Native([.. Fields, ("rawok", 1UL)]))));
        Assert.Contains("\"fromguid\" is 0", Refused(Token(Packing.Native([.. Fields, ("fromguid", 0UL)]))));
        Assert.Contains("expected 1 to 255", Refused(Token(Packing.Native([.. Fields[..4], ("toname", "")]))));
        Assert.Contains(
            "expected 1 to 255",
            Refused(Token(Packing.Native([.. Fields[..4], ("toname", new string('n', 256))])))
        );
        Assert.Equal(
            255,
            ResumeToken
                .Parse(Token(Packing.Native([.. Fields[..4], ("toname", new string('n', 255))])))
                .FullSnapshotName.Length
        );
        Assert.Contains("same name", Refused(Token(Packing.Native([.. Fields, ("x", 1UL), ("x", 2UL)]))));
        Assert.Contains("bytes of other pairs", Refused(Token(Packing.Native([.. Fields, ("x", new ulong[950])]))));
    }

    [Fact]
    public void A_list_that_is_not_packed_as_zfs_packs_it_is_refused()
    {
        var packed = Packing.Native(Fields);
        Assert.Contains("not packed as ZFS", Refused(Token([.. packed, 0])));
        Assert.Contains("not packed as ZFS", Refused(Token(Packing.Xdr(Fields))));
        Assert.Contains("announced", Refused(Token(packed[..^1])));
        var flags = (byte[])packed.Clone();
        flags[8] = 0;
        Assert.Contains("not packed as ZFS", Refused(Token(flags)));
        var padding = (byte[])packed.Clone();
        padding[^5] = 1;
        Assert.Contains("not packed as ZFS", Refused(Token(padding)));
        var name = (byte[])packed.Clone();
        name[name.AsSpan().IndexOf("bytes"u8)] = 0xff;
        Assert.Contains("not packed as ZFS", Refused(Token(name)));
        var text = (byte[])packed.Clone();
        text[text.AsSpan().IndexOf("tank"u8)] = 0xff;
        Assert.Contains("no UTF-8", Refused(Token(text)));
    }

    [Fact]
    public void Compressed_data_that_do_not_match_their_header_are_refused()
    {
        var packed = Packing.Native(Fields);
        var compressed = Compressed(packed);
        Assert.True(ResumeToken.TryParse(Token(compressed, packed.Length), out _));
        Assert.Contains("but it has more", Refused(Token(compressed, packed.Length - 1)));
        Assert.Contains($"but it has {packed.Length}", Refused(Token(compressed, packed.Length + 1)));
        Assert.Contains("end with their checksum", Refused(Token([.. compressed, 0, 0, 0, 0, 0], packed.Length)));
        for (var length = 0; length < compressed.Length; length++)
            Assert.False(ResumeToken.TryParse(Token(compressed[..length], packed.Length), out _));
    }

    [Fact]
    public void A_token_that_claims_much_allocates_little()
    {
        var bomb = Token(Compressed(new byte[10_000_000]), 8192);
        string[] hostile =
        [
            bomb,
            "1-0-100000000-00",
            "1-0-1fff-" + new string('0', 10_000),
            new string('-', 100_000),
            new string('1', 10_000_000),
        ];
        _ = ResumeToken.TryParse(All.First(), out _);
        foreach (var token in hostile)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            Assert.False(ResumeToken.TryParse(token, out _));
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 128 * 1024);
        }
    }

    [Fact]
    public void Damaged_lists_with_right_checksums_throw_nothing_but_faults()
    {
        var packed = Packing.Native([
            ("fromguid", 2UL),
            .. Fields,
            ("rawok", true),
            ("redact_snaps", new ulong[] { 1, 2 }),
        ]);
        foreach (var draw in RandomTest.Draws(few: 1000, many: 100_000))
        {
            var random = draw.Random;
            var damaged = (byte[])packed.Clone();
            for (var flips = random.Next(1, 4); flips > 0; flips--)
                damaged[random.Next(damaged.Length)] = (byte)(random.Next(2) == 0 ? random.Next(256) : random.Next(10));
            if (ResumeToken.TryParse(Token(damaged), out var token))
                Assert.True(token == ResumeToken.Parse(token.ToString()), $"{draw}: {token}");
        }
    }

    [Fact]
    public void Damaged_compressed_data_with_right_checksums_throw_nothing_but_faults()
    {
        var packed = Packing.Native(Fields);
        var compressed = Compressed(packed);
        foreach (var draw in RandomTest.Draws(few: 1000, many: 100_000))
        {
            var random = draw.Random;
            var damaged = (byte[])compressed.Clone();
            damaged[random.Next(damaged.Length)] ^= (byte)random.Next(1, 256);
            if (ResumeToken.TryParse(Token(damaged, packed.Length), out var token))
                Assert.True(token == ResumeToken.Parse(token.ToString()), $"{draw}: {token}");
        }
    }

    [Fact]
    public void Values_that_no_token_can_hold_are_refused_when_set()
    {
        var token = ResumeToken.Parse(Token(Packing.Native(Fields)));
        Assert.Throws<ArgumentException>(() => token with { BaseGuid = 0 });
        foreach (var name in (string[])["", new string('n', 256), new string('ü', 128), "a\0b", "\ud800"])
            Assert.Throws<ArgumentException>(() => token with { FullSnapshotName = name });
        NvPair[][] pairs =
        [
            [NvPair.Of("object", 1UL)],
            [NvPair.Flag("rawok")],
            [NvPair.Flag("a"), NvPair.Of("a", 1UL)],
            [NvPair.Of("a", new ulong[900])],
            [.. WithDamagedName.Pairs],
        ];
        foreach (var others in pairs)
            Assert.Throws<ArgumentException>(() => token with { OtherPairs = others });
    }

    [Fact]
    public void The_longest_of_everything_can_be_printed_and_read()
    {
        var noise = StreamBuilder.Noise(7080, 1);
        var token = ResumeToken.Parse(Token(Packing.Native(Fields))) with
        {
            BaseGuid = ulong.MaxValue,
            FullSnapshotName = new string('n', ResumeToken.LongestName),
            LargeBlocks = true,
            Embedded = true,
            Compressed = true,
            Raw = true,
            OtherPairs = [NvPair.OfBytes("noise", noise)],
        };
        Assert.Equal(token, ResumeToken.Parse(token.ToString()));
        Assert.InRange(token.ToString().Length, 14_000, ResumeToken.LongestToken);
    }

    /// <summary>A list with a name that is no UTF-8, which cannot be packed again.</summary>
    private static NvList WithDamagedName
    {
        get
        {
            var packed = Packing.Native(("name", 1UL));
            packed[packed.AsSpan().IndexOf("name"u8)] = 0xff;
            return NvList.Unpack(packed);
        }
    }

    private static string Refused(string token) =>
        Assert.Throws<FormatException>(() => ResumeToken.Parse(token)).Message;

    /// <summary>The token with another character at this position; null if it is the same one.</summary>
    private static string? Replaced(string token, int at, char character) =>
        token[at] == character ? null : $"{token[..at]}{character}{token[(at + 1)..]}";

    /// <summary>A token of this packed list, made without the library.</summary>
    private static string Token(byte[] packed) => Token(Compressed(packed), packed.Length);

    private static string Token(byte[] compressed, int length)
    {
        var sum = 0UL;
        for (var at = 0; at + 4 <= compressed.Length; at += 4)
            sum += BitConverter.ToUInt32(compressed, at);
        return $"1-{sum:x}-{length:x}-{Convert.ToHexStringLower(compressed)}";
    }

    private static byte[] Compressed(byte[] bytes)
    {
        using var output = new MemoryStream();
        using (var source = new ZLibStream(output, CompressionLevel.Optimal, leaveOpen: true))
            source.Write(bytes);
        return output.ToArray();
    }
}
