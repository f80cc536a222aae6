using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.UnitTests.Chains;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.UnitTests.Client;

public sealed class LeftoverPlanTests
{
    private static readonly DatasetName Dataset = DatasetName.Parse("tank/data");

    [Fact]
    public void Without_leftovers_nothing_is_done()
    {
        var plan = Make(
            [Snapshot(1, UploadMark.Committed), Bookmark(1), Snapshot(2, mark: null)],
            [Backups.Full(1)],
            []
        );

        Assert.True(plan is { Acknowledge.Count: 0, Release.Count: 0, Resume: null, Drop.Count: 0, Remove.Count: 0 });
    }

    [Fact]
    public void A_pending_snapshot_on_the_server_is_acknowledged_and_any_other_is_removed()
    {
        var plan = Make([Snapshot(1, UploadMark.Pending), Snapshot(2, UploadMark.Pending)], [Backups.Full(1)], []);

        Assert.Equal(1UL, Assert.Single(plan.Acknowledge).Guid.Value);
        Assert.Equal(2UL, Assert.Single(plan.Remove).Guid.Value);
    }

    [Fact]
    public void An_open_upload_of_a_pending_snapshot_resumes()
    {
        var plan = Make([Snapshot(2, UploadMark.Pending)], [], [Upload(2, null)]);

        Assert.Equal(2UL, plan.Resume?.Snapshot.Guid.Value);
        Assert.Null(plan.Resume?.Base);
        Assert.True(plan is { Drop.Count: 0, Remove.Count: 0 });
    }

    [Fact]
    public void An_incremental_starts_from_the_bookmark_of_its_base()
    {
        var plan = Make(
            [Snapshot(1, UploadMark.Committed), Bookmark(1), Snapshot(2, UploadMark.Pending)],
            [Backups.Full(1)],
            [Upload(2, 1)]
        );

        Assert.Equal("tank/data#s1", plan.Resume?.Base?.Name.ToString());
    }

    [Fact]
    public void An_upload_into_ZFS_resumes_by_its_token()
    {
        var plan = Make(
            [Snapshot(1, UploadMark.Committed), Bookmark(1), Snapshot(2, UploadMark.Pending)],
            [Backups.Full(1)],
            [Upload(2, 1) with { Resume = Token(2, 1) }]
        );

        Assert.Equal(2UL, plan.Resume?.Snapshot.Guid.Value);
    }

    [Fact]
    public void A_token_of_another_snapshot_or_base_does_not_resume()
    {
        var local = new[] { Snapshot(1, UploadMark.Committed), Bookmark(1), Snapshot(2, UploadMark.Pending) };

        Assert.Null(Make(local, [Backups.Full(1)], [Upload(2, 1) with { Resume = Token(3, 1) }]).Resume);
        Assert.Null(Make(local, [Backups.Full(1)], [Upload(2, 1) with { Resume = Token(2, null) }]).Resume);
        Assert.Null(
            Make(
                local,
                [Backups.Full(1)],
                [Upload(2, 1) with { Resume = Token(2, 1) with { ReceiveResumeToken = "1-bad" } }]
            ).Resume
        );
    }

    [Fact]
    public void It_resumes_with_the_compression_that_it_started_with()
    {
        var plan = Make([Snapshot(2, UploadMark.Pending)], [], [Upload(2, null) with { Compression = "zstd" }]);

        Assert.Equal(Core.Compression.CompressionFormat.Zstd, plan.Resume?.Compression);
    }

    [Fact]
    public void A_stream_that_was_received_to_its_end_resumes_too()
    {
        var parser = SendStreamParser.Resume(StateOf(2, null));
        var ended = parser.State with { Phase = StreamPhase.End };

        var plan = Make([Snapshot(2, UploadMark.Pending)], [], [Upload(2, null) with { Resume = Resume(ended) }]);

        Assert.NotNull(plan.Resume);
    }

    [Fact]
    public void A_renamed_dataset_finds_its_upload_by_the_snapshot()
    {
        var plan = Make([Snapshot(2, UploadMark.Pending)], [], [Upload(2, null) with { DatasetName = "tank/before" }]);

        Assert.Equal("tank/before", plan.Resume?.Upload.DatasetName);
    }

    public static TheoryData<string, string> Unfit =>
        new()
        {
            { "snapshot", "its snapshot no longer exists" },
            { "no-resume", "--no-resume was given" },
            { "nothing", "none of it is stored" },
            { "state", "the state of its stream" },
            { "other", "another snapshot" },
            { "disordered", "order that ZFS never sends" },
            { "redacted", "redacted" },
            { "base", "no longer exists on this machine" },
            { "chain", "server no longer has" },
            { "compression", "does not support the compression" },
        };

    [Theory]
    [MemberData(nameof(Unfit))]
    public void An_upload_that_cannot_resume_is_dropped_with_the_reason_and_its_snapshot(string what, string reason)
    {
        List<LocalSnapshot> local = [Bookmark(1), Snapshot(2, UploadMark.Pending)];
        List<SnapshotInfo> remote = [Backups.Full(1)];
        var upload = Upload(2, 1);
        switch (what)
        {
            case "snapshot":
                local.RemoveAt(1);
                break;
            case "nothing":
                upload = upload with { Resume = null };
                break;
            case "state":
                upload = upload with { Resume = upload.Resume! with { State = "1,2,3" } };
                break;
            case "other":
                upload = upload with { Resume = Resume(StateOf(3, 1)) };
                break;
            case "disordered":
                upload = upload with { Resume = Resume(StateOf(2, 1) with { IsOutOfOrder = true }) };
                break;
            case "redacted":
                var state = StateOf(2, 1);
                var begin = state.Snapshot! with { Features = StreamFeatures.Redacted };
                upload = upload with { Resume = Resume(state with { Begin = begin, Snapshot = begin }) };
                break;
            case "base":
                local.RemoveAt(0);
                break;
            case "chain":
                remote = [Backups.Incremental(1, 7)];
                break;
            case "compression":
                upload = upload with { Compression = "lz4" };
                break;
            default:
                break;
        }

        var plan = LeftoverPlan.Make(Dataset, local, remote, [upload], mayResume: what != "no-resume");

        Assert.Null(plan.Resume);
        Assert.Contains(reason, Assert.Single(plan.Drop).Reason, StringComparison.Ordinal);
        Assert.Equal(what == "snapshot" ? 0 : 1, plan.Remove.Count);
    }

    [Fact]
    public void Of_several_uploads_the_newest_resumes()
    {
        var plan = Make(
            [Snapshot(2, UploadMark.Pending), Snapshot(3, UploadMark.Pending)],
            [],
            [Upload(2, null), Upload(3, null)]
        );

        Assert.Equal(3UL, plan.Resume?.Snapshot.Guid.Value);
        Assert.Equal(2UL, Assert.Single(plan.Drop).Upload.SnapshotGuid?.Value);
        Assert.Equal(2UL, Assert.Single(plan.Remove).Guid.Value);
    }

    [Fact]
    public void Uploads_that_this_client_did_not_open_are_kept()
    {
        var byHand = Upload(4, null) with { SnapshotGuid = null };
        var ofAnotherDataset = Upload(5, null) with { DatasetName = "tank/other" };
        var ofASnapshotThatOthersMade = Upload(6, null);

        var plan = Make([Snapshot(6, mark: null)], [], [byHand, ofAnotherDataset, ofASnapshotThatOthersMade]);

        Assert.True(plan is { Drop.Count: 0, Resume: null });
    }

    [Fact]
    public void A_committed_snapshot_that_is_still_held_is_released()
    {
        var plan = Make(
            [Snapshot(1, UploadMark.Committed) with { IsHeld = true }, Snapshot(2, mark: null) with { IsHeld = true }],
            [Backups.Full(1)],
            []
        );

        Assert.Equal(1UL, Assert.Single(plan.Release).Guid.Value);
    }

    private static LeftoverPlan Make(LocalSnapshot[] local, SnapshotInfo[] remote, UploadInfo[] uploads) =>
        LeftoverPlan.Make(Dataset, local, remote, uploads, mayResume: true);

    private static UploadInfo Upload(ulong guid, ulong? from) =>
        new()
        {
            UploadId = $"u{guid}",
            DatasetName = "tank/data",
            SnapshotName = $"s{guid}",
            SnapshotGuid = new SnapshotGuid(guid),
            FromGuid = from is { } f ? new SnapshotGuid(f) : null,
            Compression = "gzip",
            SendFlags = ["-L"],
            TouchedAt = DateTimeOffset.UnixEpoch,
            Resume = Resume(StateOf(guid, from)),
        };

    private static UploadResume Resume(ParserState state) =>
        new()
        {
            NextPart = 2,
            StoredBytes = 10,
            StreamBytes = state.StreamOffset,
            State = state.Format(),
        };

    /// <summary>The state of a snapshot's stream after a few records.</summary>
    private static ParserState StateOf(ulong guid, ulong? from)
    {
        var parser = new SendStreamParser();
        ReadOnlySpan<byte> input = new StreamBuilder()
            .Begin(guid, from ?? 0)
            .Object(1, bonus: [])
            .Write(1, 0, StreamBuilder.Noise(512, 1))
            .ToArray();
        while (parser.Read(ref input, out _) != ParserEvent.NeedMoreInput) { }

        return parser.State;
    }

    private static LocalSnapshot Snapshot(ulong guid, UploadMark? mark) =>
        new(
            SnapshotName.Parse($"tank/data@s{guid}"),
            new SnapshotGuid(guid),
            CreateTxg: guid * 10,
            DateTimeOffset.UnixEpoch,
            mark
        );

    private static LocalSnapshot Bookmark(ulong guid) =>
        Snapshot(guid, mark: null) with
        {
            Name = SnapshotName.Parse($"tank/data#s{guid}"),
        };

    private static UploadResume Token(ulong guid, ulong? from) =>
        new()
        {
            NextPart = 1,
            StoredBytes = 0,
            StreamBytes = 4096,
            State = "",
            ReceiveResumeToken = new ResumeToken
            {
                BaseGuid = from,
                Object = 3,
                Offset = 0,
                Bytes = 4096,
                SnapshotGuid = guid,
                FullSnapshotName = "tank/data@s",
            }.ToString(),
        };
}
