using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.UnitTests.Client.Pipeline;

public sealed class PlannedStreamTests
{
    private static readonly LocalSnapshot Snapshot = new(
        SnapshotName.Parse("tank/data@one"),
        new SnapshotGuid(7),
        CreateTxg: 1,
        DateTimeOffset.FromUnixTimeSeconds(1_700_000_000),
        UploadMark.TryParse("pending")
    );

    private static readonly ExpectedStream Plain = new(Snapshot, BaseGuid: null, IsVolume: false, ["-L"]);

    [Fact]
    public void A_stream_that_the_plan_allows_passes_byte_for_byte()
    {
        var stream = Stream(features: StreamFeatures.SaSpill | StreamFeatures.LargeBlocks);

        Assert.Equal(stream, ReadAll(stream, Plain, from: null));
    }

    [Fact]
    public void A_raw_stream_passes_if_the_plan_is_raw()
    {
        var stream = RecordedStream.All["raw.zfs.gz"].Bytes;

        Assert.Equal(stream, ReadAll(stream, PlanOf(stream, ["-w"]), from: null));
    }

    [Fact]
    public void Not_a_byte_passes_of_a_decrypted_stream_if_the_plan_is_raw()
    {
        var stream = RecordedStream.All["decrypted.zfs.gz"].Bytes;

        AssertRefused(stream, PlanOf(stream, ["-w"]), from: null, "it is decrypted");
    }

    public static TheoryData<string, string> Lies =>
        new()
        {
            { "name", "not of tank/data@one" },
            { "guid", "another snapshot" },
            { "base", "based on another snapshot" },
            { "type", "another type of dataset" },
            { "time", "another time" },
            { "compressed", "compressed blocks" },
            { "large blocks", "large blocks" },
            { "embedded", "embedded blocks" },
            { "redacted", "Redacted" },
            { "package", "package of several streams" },
        };

    [Theory]
    [MemberData(nameof(Lies))]
    public void Not_a_byte_passes_of_another_stream(string what, string difference)
    {
        var stream = what switch
        {
            "name" => Stream(name: "tank/other@one"),
            "guid" => Stream(guid: 8),
            "base" => Stream(baseGuid: 9),
            "compressed" => Stream(features: StreamFeatures.Compressed),
            "embedded" => Stream(features: StreamFeatures.EmbedData),
            "large blocks" => Stream(features: StreamFeatures.LargeBlocks),
            "redacted" => Stream(features: StreamFeatures.Redacted),
            "package" => new StreamBuilder().PackageBegin().ToArray(),
            _ => Stream(),
        };
        var plan = what switch
        {
            "type" => Plain with { IsVolume = true },
            "time" => Plain with { Snapshot = Snapshot with { Creation = DateTimeOffset.UnixEpoch } },
            "large blocks" => Plain with { SendFlags = [] },
            _ => Plain,
        };

        AssertRefused(stream, plan, from: null, difference);
    }

    [Fact]
    public void The_rest_of_a_stream_must_start_where_its_token_says()
    {
        var rest = RecordedStream.All["resumed.zfs.gz"].Bytes;
        var plan = PlanOf(rest, ["-L"]);
        var point = BeginOf(rest).ResumePoint!.Value;
        var token = plan.MintToken(point, bytes: 0);

        Assert.Equal(rest, ReadAll(rest, plan, token));
        AssertRefused(rest, plan, token with { Object = token.Object + 1 }, "another place");
        AssertRefused(rest, plan, from: null, "another place");
        AssertRefused(Stream(), Plain, Plain.MintToken(point, bytes: 0), "another place");
    }

    [Fact]
    public void A_token_that_names_no_place_gives_the_whole_stream()
    {
        var stream = Stream();

        Assert.Equal(stream, ReadAll(stream, Plain, Plain.MintToken(default, bytes: 0)));
    }

    [Fact]
    public void A_stream_that_ends_before_its_BEGIN_is_passed_on_for_its_reader_to_report()
    {
        var start = Stream().AsSpan(0, 100).ToArray();

        Assert.Equal(start, ReadAll(start, Plain, from: null));
        Assert.Empty(ReadAll([], Plain, from: null));
    }

    private static ExpectedStream PlanOf(byte[] stream, string[] flags)
    {
        var begin = BeginOf(stream);
        var snapshot = new LocalSnapshot(
            SnapshotName.Parse(begin.FullSnapshotName),
            new SnapshotGuid(begin.SnapshotGuid),
            CreateTxg: 1,
            begin.CreationTime,
            UploadMark.TryParse("pending")
        );
        var baseGuid = begin.IsIncremental ? (SnapshotGuid?)new SnapshotGuid(begin.BaseGuid) : null;
        return new ExpectedStream(snapshot, baseGuid, IsVolume: false, flags);
    }

    private static SnapshotStreamInfo BeginOf(byte[] stream)
    {
        var parser = new SendStreamParser();
        ReadOnlySpan<byte> input = stream;
        while (parser.Begin is null)
            _ = parser.Read(ref input, out _);
        return parser.Begin;
    }

    private static byte[] Stream(
        ulong guid = 7,
        ulong baseGuid = 0,
        string name = "tank/data@one",
        StreamFeatures features = StreamFeatures.SaSpill
    ) =>
        new StreamBuilder()
            .Begin(guid, baseGuid, name, features)
            .Object(1, bonus: [])
            .Write(1, 0, StreamBuilder.Noise(512, 1))
            .End()
            .ToArray();

    private static void AssertRefused(byte[] stream, ExpectedStream plan, ResumeToken? from, string difference)
    {
        using var planned = new PlannedStream(new DribblingStream(stream, new Random(1), most: 500), plan, from);
        var passed = new byte[1];

        var refused = Assert.Throws<UnexpectedStreamException>(() => planned.Read(passed, 0, 1));

        Assert.Contains(difference, refused.Message, StringComparison.Ordinal);
        Assert.Equal([0], passed);
    }

    private static byte[] ReadAll(byte[] stream, ExpectedStream plan, ResumeToken? from)
    {
        using var planned = new PlannedStream(new DribblingStream(stream, new Random(1), most: 500), plan, from);
        using var all = new MemoryStream();
        planned.CopyTo(all, bufferSize: 777);
        return all.ToArray();
    }
}
