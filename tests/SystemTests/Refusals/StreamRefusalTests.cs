using System.Net;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.SystemTests.Refusals;

/// <summary>
/// A stream that is incomplete, invalid or not the announced one is refused, leaves nothing behind, and can be sent
/// again.
/// </summary>
public sealed class StreamRefusalTests(SharedServer server) : IClassFixture<SharedServer>
{
    private static readonly byte[] Plain = Recorded.Plain("full");
    private static readonly byte[] Gzip = Recorded.Gzip("full");
    private static readonly IReadOnlyList<int> Records = Recorded.Boundaries(Plain);
    private static readonly Dictionary<string, byte[]> DamagedStreams = DamageStreams();
    private static readonly Dictionary<string, byte[]> DamagedGzips = DamageGzips();
    private static readonly Dictionary<string, Refusal> OtherStreams = NameOtherStreams();

    public static TheoryData<string> DamagedStreamNames => [.. DamagedStreams.Keys];

    public static TheoryData<string> DamagedGzipNames => [.. DamagedGzips.Keys];

    public static TheoryData<string> OtherStreamNames => [.. OtherStreams.Keys];

    [Theory]
    [InlineData(0, 60)]
    [InlineData(0, 41)]
    [InlineData(1, 2)]
    [InlineData(1, 10)]
    [InlineData(7, 300)]
    [InlineData(100, 16)]
    [InlineData(200, 290)]
    [InlineData(-1, 0)]
    [InlineData(-1, 8)]
    [InlineData(-1, 45)]
    [InlineData(-1, 311)]
    public Task A_flipped_bit_in_a_record_s_header_is_refused(int record, int at)
    {
        var index = record >= 0 ? record : Records.Count - 2;
        return AssertFlipIsRefusedAsync(index, Records[index] + at);
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.3)]
    [InlineData(0.7)]
    [InlineData(1.0)]
    public Task A_flipped_bit_in_a_record_s_payload_is_refused(double share)
    {
        var withPayload = Enumerable.Range(0, Records.Count - 1).Where(i => Records[i + 1] - Records[i] > 312).ToList();
        var index = withPayload[(int)(share * (withPayload.Count - 1))];
        return AssertFlipIsRefusedAsync(index, (Records[index] + 312 + Records[index + 1]) / 2);
    }

    [Theory]
    [MemberData(nameof(DamagedStreamNames))]
    public Task An_incomplete_or_invalid_stream_is_refused(string name) =>
        AssertRefusedAsync(new Refusal(DamagedStreams[name], HttpStatusCode.UnprocessableEntity, "stream_damaged"));

    [Theory]
    [MemberData(nameof(DamagedGzipNames))]
    public Task An_incomplete_or_invalid_gzip_file_is_refused(string name) =>
        AssertRefusedAsync(
            new Refusal(
                DamagedGzips[name],
                HttpStatusCode.UnprocessableEntity,
                "compression_damaged",
                "compressed data"
            )
            {
                Compression = "gzip",
            }
        );

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public Task A_gzip_file_without_the_end_of_its_trailer_is_refused(int missing) =>
        AssertRefusedAsync(
            new Refusal(
                GzipFile.WithoutTrailer(Gzip, missing),
                HttpStatusCode.UnprocessableEntity,
                "compression_damaged",
                "cut off"
            )
            {
                Compression = "gzip",
            }
        );

    /// <summary>The decompressor detects some flips; others yield bytes that were never sent.</summary>
    [Theory]
    [InlineData(0.01)]
    [InlineData(0.2)]
    [InlineData(0.5)]
    [InlineData(0.8)]
    [InlineData(0.99)]
    public Task A_flipped_bit_in_compressed_data_is_refused(double share)
    {
        var flipped = (byte[])Gzip.Clone();
        flipped[(int)(share * flipped.Length)] ^= 0x10;
        return AssertRefusedAsync(
            new Refusal(flipped, HttpStatusCode.UnprocessableEntity, "stream_damaged|compression_damaged")
            {
                Compression = "gzip",
            }
        );
    }

    [Theory]
    [MemberData(nameof(OtherStreamNames))]
    public Task A_stream_of_another_kind_or_identity_is_refused(string name) => AssertRefusedAsync(OtherStreams[name]);

    [Fact]
    public async Task An_incremental_whose_base_is_not_stored_is_refused_before_it_is_sent()
    {
        using var client = await server.NewClientAsync();
        var incremental = Recorded.Get("incremental-1");
        var before = await client.PictureAsync();

        var answer = await client.AskAsync(Recorded.Announce(incremental, "gzip"));

        answer.AssertRefused(HttpStatusCode.Conflict, "base_missing", $"{incremental.BaseGuid}");
        Assert.Equal(before, await client.PictureAsync());
    }

    [Fact]
    public async Task Another_client_s_backup_is_no_base()
    {
        using var owner = await server.NewClientAsync();
        using var other = await server.NewClientAsync();
        await owner.StoreAsync(Plain);

        (await other.AskAsync(Recorded.Announce(Recorded.Get("incremental-1"), "none"))).AssertRefused(
            HttpStatusCode.Conflict,
            "base_missing"
        );
    }

    /// <summary>
    /// A redacted snapshot has the GUID of the original, but zfs receive accepts no plain incremental on top of it
    /// (dmu_recv.c, redact_check).
    /// </summary>
    [Fact]
    public async Task A_redacted_backup_is_no_base_of_a_plain_incremental()
    {
        using var client = await server.NewClientAsync();
        await client.SendAsync(
            await client.AnnounceAsync(new JsonObject { ["dataset_name"] = "tank/plain" }),
            Recorded.Gzip("redacted")
        );
        var before = await client.PictureAsync();
        var incremental = await client.AskAsync(new JsonObject { ["dataset_name"] = "tank/plain" });

        var answer = await client.SendAsync(
            incremental.MustSucceed().Json.GetProperty("upload_id").GetString()!,
            Recorded.Gzip("incremental-1")
        );

        answer.AssertRefused(HttpStatusCode.Conflict, "base_missing");
        // Everything except the number of open uploads.
        Assert.Equal(before.Split('\n')[..^1], (await client.PictureAsync()).Split('\n')[..^1]);
    }

    [Fact]
    public async Task A_snapshot_that_is_stored_is_refused_before_it_is_sent_again()
    {
        using var client = await server.NewClientAsync();
        var stored = await client.StoreAsync(Plain, "tank/plain");
        var before = await client.PictureAsync();

        var answer = await client.AskAsync(Recorded.Announce(Recorded.Get("full"), "gzip"));

        answer.AssertRefused(
            HttpStatusCode.Conflict,
            "snapshot_exists",
            stored.Json.GetProperty("snapshot").GetProperty("snapshot_id").GetString()!
        );
        Assert.Equal(before, await client.PictureAsync());
    }

    /// <summary>
    /// The message names the flipped record by its own checksum, or by the next record's for bytes that its own does
    /// not cover.
    /// </summary>
    private async Task AssertFlipIsRefusedAsync(int index, int at)
    {
        var flipped = (byte[])Plain.Clone();
        flipped[at] ^= 0x10;
        var answer = await AssertRefusedAsync(
            new Refusal(flipped, HttpStatusCode.UnprocessableEntity, "stream_damaged", "at stream byte")
        );
        Assert.Matches($"record ({index}|{index + 1}), counted from 0", answer.Message);
    }

    private async Task<Answer> AssertRefusedAsync(Refusal refusal)
    {
        using var client = await server.NewClientAsync();
        foreach (var name in refusal.Stored)
            await client.StoreAsync(Recorded.Plain(name), "tank/plain");
        var announced = refusal.Announced?.DeepClone().AsObject() ?? new JsonObject { ["dataset_name"] = "tank/plain" };
        announced["compression"] = refusal.Compression;
        var upload = await client.AnnounceAsync(announced);
        var before = await client.PictureAsync();

        var answer = await client.SendAsync(upload, refusal.Body);

        var code = refusal.Code.Split('|').FirstOrDefault(c => c == answer.Code) ?? refusal.Code;
        answer.AssertRefused(refusal.Status, code, refusal.Says);
        Assert.Equal(before, await client.PictureAsync());
        var state = (await client.GetAsync($"upload-stream/{upload}")).MustSucceed().Json;
        Assert.Equal("open", state.GetProperty("state").GetString());
        Assert.Equal(code, state.GetProperty("last_error").GetProperty("code").GetString());

        var right = refusal.Compression == "gzip" ? Recorded.Gzip(refusal.Right) : Recorded.Plain(refusal.Right);
        Assert.Equal(
            "committed",
            (await client.SendAsync(upload, right)).MustSucceed().Json.GetProperty("state").GetString()
        );
        (await client.RestoreAsync("verify", "all")).MustSucceed();
        return answer;
    }

    private static Dictionary<string, byte[]> DamageStreams()
    {
        var (middle, end) = (Records.Count / 2, Records[^2]);
        byte[] Without(int record) => [.. Plain[..Records[record]], .. Plain[Records[record + 1]..]];
        byte[] Doubled(int record) => [.. Plain[..Records[record + 1]], .. Plain[Records[record]..]];
        return new Dictionary<string, byte[]>(StringComparer.Ordinal)
        {
            ["nothing at all"] = [],
            ["three bytes"] = Plain[..3],
            ["half of BEGIN"] = Plain[..150],
            ["BEGIN alone"] = Plain[..Records[1]],
            ["cut between records"] = Plain[..Records[middle]],
            ["cut inside a header"] = Plain[..(Records[middle] + 100)],
            ["cut inside the last payload"] = Plain[..(end - 700)],
            ["all but END"] = Plain[..end],
            ["all but the last byte"] = Plain[..^1],
            ["BEGIN dropped"] = Without(0),
            ["the second record dropped"] = Without(1),
            ["a record in the middle dropped"] = Without(middle),
            ["the last before END dropped"] = Without(Records.Count - 3),
            ["BEGIN doubled"] = Doubled(0),
            ["a record in the middle doubled"] = Doubled(middle),
            ["END doubled"] = Doubled(Records.Count - 2),
            ["a byte after END"] = [.. Plain, 0],
            ["another stream after END"] = [.. Plain, .. Recorded.Plain("empty")],
            ["noise"] = StreamBuilder.Noise(100_000, 1),
            ["zeros"] = new byte[100_000],
            ["compressed, though announced as plain"] = Gzip,
            ["a text"] = "zfs: cannot open 'tank/data': dataset does not exist"u8.ToArray(),
        };
    }

    private static Dictionary<string, byte[]> DamageGzips()
    {
        byte[] Flipped(int at)
        {
            var bytes = (byte[])Gzip.Clone();
            bytes[at] ^= 0x80;
            return bytes;
        }

        return new Dictionary<string, byte[]>(StringComparer.Ordinal)
        {
            ["noise"] = StreamBuilder.Noise(100_000, 2),
            ["plain, though announced as gzip"] = Plain,
            ["the magic flipped"] = Flipped(0),
            ["the method flipped"] = Flipped(2),
            ["a reserved flag"] = Flipped(3),
            ["the check sum flipped"] = Flipped(Gzip.Length - 8),
            ["the length flipped"] = Flipped(Gzip.Length - 1),
            ["half of the header"] = Gzip[..5],
            ["cut in the middle"] = Gzip[..(Gzip.Length / 2)],
            ["a member that is cut after one that is whole"] =
            [
                .. GzipFile.Compress(Plain.AsSpan(0, 400_000)),
                .. GzipFile.Compress(Plain.AsSpan(400_000))[..^9],
            ],
            ["a zero behind it"] = [.. Gzip, 0],
            ["a thousand zeros behind it"] = [.. Gzip, .. new byte[1000]],
            ["half of a magic behind it"] = [.. Gzip, 0x1f],
            ["a magic behind it"] = [.. Gzip, 0x1f, 0x8b],
            ["noise behind it"] = [.. Gzip, .. StreamBuilder.Noise(50_000, 3)],
            ["a zero behind full buffers"] = [.. GzipFile.CompressToMultipleOf(256 * 1024, Plain), 0],
            ["noise behind full buffers"] =
            [
                .. GzipFile.CompressToMultipleOf(256 * 1024, Plain),
                .. StreamBuilder.Noise(300_000, 4),
            ],
        };
    }

    private static Dictionary<string, Refusal> NameOtherStreams()
    {
        const HttpStatusCode Unprocessable = HttpStatusCode.UnprocessableEntity;
        var (full, first, volume) = (Recorded.Get("full"), Recorded.Get("incremental-1"), Recorded.Get("volume"));
        return new Dictionary<string, Refusal>(StringComparer.Ordinal)
        {
            ["a gzip file of nothing"] = new(GzipFile.Compress([]), Unprocessable, "stream_damaged", "empty")
            {
                Compression = "gzip",
            },
            ["no gzip file at all"] = new([], Unprocessable, "stream_damaged", "empty") { Compression = "gzip" },
            ["a right gzip file of noise"] = new(
                GzipFile.Compress(StreamBuilder.Noise(10_000, 5)),
                Unprocessable,
                "stream_damaged"
            )
            {
                Compression = "gzip",
            },
            ["a right gzip file of half a stream"] = new(
                GzipFile.Compress(Plain.AsSpan(0, 300_000)),
                Unprocessable,
                "stream_damaged",
                "ends early"
            )
            {
                Compression = "gzip",
            },
            ["a second member with another stream"] = new(
                [.. Gzip, .. Recorded.Gzip("empty")],
                Unprocessable,
                "stream_damaged",
                "more bytes follow"
            )
            {
                Compression = "gzip",
            },
            ["a package (-R)"] = new(Recorded.Plain("package"), Unprocessable, "stream_is_package", "-R"),
            ["a package with holds (-R -h)"] = new(Recorded.Plain("package-holds"), Unprocessable, "stream_is_package"),
            ["a stream with properties (-p)"] = new(
                Recorded.Plain("properties"),
                Unprocessable,
                "stream_is_package",
                "-p"
            ),
            ["several incrementals at once (-I)"] = new(
                Recorded.Plain("incremental-all"),
                Unprocessable,
                "stream_is_package"
            )
            {
                Stored = ["full"],
                Right = "incremental-1",
            },
            ["the continuation of an interrupted send"] = new(
                Recorded.Plain("resumed"),
                Unprocessable,
                "stream_mismatch",
                "continuation"
            ),
            ["the continuation of an interrupted incremental"] = new(
                Recorded.Plain("resumed-incremental"),
                Unprocessable,
                "stream_mismatch",
                "continuation"
            )
            {
                Stored = ["full"],
                Right = "incremental-1",
            },
            ["a saved half (--saved)"] = new(Recorded.Plain("saved"), Unprocessable, "stream_damaged"),
            ["a clone's"] = new(Recorded.Plain("clone"), Unprocessable, "stream_mismatch", "clone")
            {
                Stored = ["full", "incremental-1"],
                Right = "incremental-2",
            },
            ["an incremental whose base is not stored"] = new(
                Recorded.Plain("incremental-1"),
                HttpStatusCode.Conflict,
                "base_missing",
                $"{first.BaseGuid}"
            ),
            ["a raw incremental whose base is stored decrypted only"] = new(
                Recorded.Plain("raw-incremental"),
                HttpStatusCode.Conflict,
                "base_missing",
                "raw"
            )
            {
                Stored = ["decrypted"],
            },
            // A chain that zfs receive refuses: dmu_recv.c, recv_check_large_blocks.
            ["an incremental without -L whose base is stored with -L only"] = new(
                SmallIncremental(Recorded.Get("large-blocks").Guid),
                HttpStatusCode.Conflict,
                "base_missing",
                "-L"
            )
            {
                Stored = ["large-blocks"],
                Right = "large-compressed-embedded-incremental",
            },
            ["the same snapshot again"] = new(Plain, HttpStatusCode.Conflict, "snapshot_exists", "already stored")
            {
                Stored = ["full"],
                Right = "incremental-1",
            },
            ["another snapshot than announced"] = new(
                Recorded.Plain("volume"),
                Unprocessable,
                "stream_mismatch",
                $"{full.Guid}",
                $"{volume.Guid}"
            )
            {
                Announced = With("snapshot_guid", $"{full.Guid}"),
            },
            ["another snapshot's name than announced"] = new(
                Recorded.Plain("empty"),
                Unprocessable,
                "stream_mismatch",
                "'snap'",
                "'one'"
            )
            {
                Announced = With("snapshot_name", "one"),
            },
            ["another base than announced"] = new(
                Recorded.Plain("incremental-bookmark"),
                Unprocessable,
                "stream_mismatch",
                $"{full.Guid}",
                $"{first.Guid}"
            )
            {
                Stored = ["full", "incremental-1"],
                Announced = With("from_guid", $"{first.Guid}"),
                Right = "incremental-2",
            },
            ["incremental, though announced as full"] = new(
                Recorded.Plain("incremental-1"),
                Unprocessable,
                "stream_mismatch",
                "a full send"
            )
            {
                Stored = ["decrypted"],
                Announced = With("incremental", false),
            },
            ["full, though announced as incremental"] = new(
                Recorded.Plain("empty"),
                Unprocessable,
                "stream_mismatch",
                "a full send"
            )
            {
                Stored = ["full"],
                Announced = With("from_guid", $"{full.Guid}"),
                Right = "incremental-1",
            },
            ["not raw, though announced as raw"] = new(
                Recorded.Plain("decrypted"),
                Unprocessable,
                "stream_mismatch",
                "raw"
            )
            {
                Announced = With("raw", true),
                Right = "raw",
            },
            ["raw, though announced as not raw"] = new(Recorded.Plain("raw"), Unprocessable, "stream_mismatch", "raw")
            {
                Announced = With("raw", false),
                Right = "decrypted",
            },
        };
    }

    /// <summary>A plain incremental with blocks of the usual size.</summary>
    private static byte[] SmallIncremental(ulong from) =>
        new StreamBuilder()
            .Begin(guid: 99, baseGuid: from, name: "tank/large@two")
            .Object(1, bonus: [])
            .Write(1, 0, StreamBuilder.Noise(512, 6))
            .End()
            .ToArray();

    private static JsonObject With(string field, JsonNode value) =>
        new() { ["dataset_name"] = "tank/plain", [field] = value };

    /// <summary>A body that is refused, and the expected codes, separated by |.</summary>
    private sealed record Refusal(byte[] Body, HttpStatusCode Status, string Code, params string[] Says)
    {
        public string Compression { get; init; } = "none";

        /// <summary>Streams that are stored before.</summary>
        public string[] Stored { get; init; } = [];

        /// <summary>The announcement of the stream; if null, only its dataset.</summary>
        public JsonObject? Announced { get; init; }

        /// <summary>The stream that the same upload then accepts.</summary>
        public string Right { get; init; } = "full";
    }
}
