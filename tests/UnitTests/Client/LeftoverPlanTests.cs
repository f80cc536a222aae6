using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.NvLists;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.UnitTests.Chains;
using ZfsSnapshotManager.UnitTests.SendStream;
using ResumePoint = ZfsSnapshotManager.SendStream.ResumePoint;
using UploadResumePoint = ZfsSnapshotManager.Client.Upload.ResumePoint;

namespace ZfsSnapshotManager.UnitTests.Client;

public sealed class LeftoverPlanTests
{
    private static readonly DatasetFacts Dataset = new(
        DatasetName.Parse("tank/data"),
        IsVolume: false,
        IsEncrypted: false
    );

    /// <summary>When the streams of <see cref="StreamBuilder"/> say that their snapshot was made.</summary>
    private static readonly DateTimeOffset Creation = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);

    private static readonly MarkOwner Owner = new("5e1fc0de", "web1");
    private static readonly RunId Run = new("0123abcd", "00000001");

    /// <summary>Of another run on this host.</summary>
    private static readonly UploadMark Pending = UploadMark.Pending(Owner, Run with { Number = "00000002" });

    private static readonly UploadMark Committed = UploadMark.Committed(Owner);

    private static readonly ClientIdentity Identity = new(
        Owner,
        Owner with
        {
            Server = "url-0",
        },
        Machine.Of("m1", "nas"),
        Run
    );

    [Fact]
    public void Without_leftovers_nothing_is_done()
    {
        var plan = Make([Snapshot(1, Committed), Bookmark(1), Snapshot(2, mark: null)], [Backups.Full(1)], []);

        Assert.True(plan is { Acknowledge.Count: 0, Release.Count: 0, Resume: null, Drop.Count: 0, Remove.Count: 0 });
    }

    [Fact]
    public void A_pending_snapshot_on_the_server_is_acknowledged_and_any_other_is_removed()
    {
        var plan = Make([Snapshot(1, Pending), Snapshot(2, Pending)], [Backups.Full(1)], []);

        Assert.Equal(1UL, Assert.Single(plan.Acknowledge).Guid.Value);
        Assert.Equal(2UL, Assert.Single(plan.Remove).Guid.Value);
    }

    [Fact]
    public void An_open_upload_of_a_pending_snapshot_resumes()
    {
        var plan = Make([Snapshot(2, Pending)], [], [Upload(2, null)]);

        Assert.Equal(2UL, plan.Resume?.Snapshot.Guid.Value);
        Assert.Null(plan.Resume?.Base);
        Assert.True(plan is { Drop.Count: 0, Remove.Count: 0 });
    }

    [Fact]
    public void An_incremental_starts_from_the_bookmark_of_its_base()
    {
        var plan = Make([Snapshot(1, Committed), Bookmark(1), Snapshot(2, Pending)], [Backups.Full(1)], [Upload(2, 1)]);

        Assert.Equal("tank/data#s1", plan.Resume?.Base?.Name.ToString());
    }

    [Fact]
    public void An_upload_into_ZFS_resumes_by_its_token()
    {
        var plan = Make(
            [Snapshot(1, Committed), Bookmark(1), Snapshot(2, Pending)],
            [Backups.Full(1)],
            [Upload(2, 1) with { Resume = Token(2, 1) }]
        );

        Assert.Equal(2UL, plan.Resume?.Snapshot.Guid.Value);
    }

    [Fact]
    public void A_token_of_another_snapshot_or_base_does_not_resume()
    {
        var local = new[] { Snapshot(1, Committed), Bookmark(1), Snapshot(2, Pending) };

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
        var plan = Make([Snapshot(2, Pending)], [], [Upload(2, null) with { Compression = "zstd" }]);

        Assert.Equal(Core.Compression.CompressionFormat.Zstd, plan.Resume?.Compression);
    }

    [Fact]
    public void A_stream_that_was_received_to_its_end_resumes_too()
    {
        var parser = SendStreamParser.Resume(StateOf(2, null));
        var ended = parser.State with { Phase = StreamPhase.End };

        var plan = Make([Snapshot(2, Pending)], [], [Upload(2, null) with { Resume = Resume(ended) }]);

        Assert.NotNull(plan.Resume);
    }

    [Fact]
    public void A_renamed_dataset_finds_its_upload_by_the_snapshot()
    {
        var plan = Make([Snapshot(2, Pending)], [], [Upload(2, null) with { DatasetName = "tank/before" }]);

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
            { "redacted", "Redacted" },
            { "raw", "is not sent raw" },
            { "name", "another name" },
            { "time", "another time" },
            { "volume", "another type" },
            { "compressed", "compressed blocks" },
            { "embedded", "embedded blocks" },
            { "more parts than bytes", "what it has stored" },
            { "count", "what it has stored" },
            { "bytes", "which no stream has" },
            { "stored bytes", "which no stream has" },
            { "offset", "which no stream has" },
            { "records", "no stream has" },
            { "object", "no stream has" },
            { "resume bytes", "no stream has" },
            { "flags", "does not use" },
            { "raw flags", "is not sent raw" },
            { "newer base", "not older" },
            { "base", "no longer exists on this machine" },
            { "chain", "server no longer has" },
            { "compression", "does not support the compression" },
        };

    [Theory]
    [MemberData(nameof(Unfit))]
    public void An_upload_that_cannot_resume_is_dropped_with_the_reason_and_its_snapshot(string what, string reason)
    {
        List<LocalSnapshot> local = [Bookmark(1), Snapshot(2, Pending)];
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
                upload = upload with { Resume = Lie(begin => begin with { Features = StreamFeatures.Redacted }) };
                break;
            case "raw":
                upload = upload with { Resume = Lie(begin => begin with { Features = StreamFeatures.Raw }) };
                break;
            case "name":
                upload = upload with { Resume = Lie(begin => begin with { FullSnapshotName = "tank/data@s1" }) };
                break;
            case "time":
                upload = upload with { Resume = Lie(begin => begin with { CreationTime = DateTimeOffset.UnixEpoch }) };
                break;
            case "volume":
                upload = upload with { Resume = Lie(begin => begin with { Type = DatasetType.Volume }) };
                break;
            case "compressed":
                upload = upload with { Resume = Lie(begin => begin with { Features = StreamFeatures.Compressed }) };
                break;
            case "embedded":
                upload = upload with { Resume = Lie(begin => begin with { Features = StreamFeatures.EmbedData }) };
                break;
            case "more parts than bytes":
                upload = upload with { Resume = upload.Resume! with { NextPart = int.MaxValue } };
                break;
            case "count":
                upload = upload with { Resume = upload.Resume! with { NextPart = int.MinValue } };
                break;
            case "bytes":
                upload = upload with { Resume = upload.Resume! with { StreamBytes = long.MaxValue } };
                break;
            case "stored bytes":
                upload = upload with { Resume = upload.Resume! with { StoredBytes = -1 } };
                break;
            case "offset":
                upload = upload with { Resume = Resume(StateOf(2, 1) with { StreamOffset = long.MaxValue }) };
                break;
            case "records":
                upload = upload with { Resume = Resume(StateOf(2, 1) with { RecordCount = 1_000_000 }) };
                break;
            case "object":
                var far = new ResumePoint(ulong.MaxValue, 0);
                upload = upload with { Resume = Resume(StateOf(2, 1) with { ResumePoint = far }) };
                break;
            case "resume bytes":
                upload = upload with { Resume = Resume(StateOf(2, 1) with { ResumeBytes = 1L << 50 }) };
                break;
            case "flags":
                upload = upload with { SendFlags = ["-L", "-R"] };
                break;
            case "raw flags":
                upload = upload with { SendFlags = ["-w"] };
                break;
            case "newer base":
                local.Add(Bookmark(5));
                remote.Add(Backups.Full(5));
                upload = Upload(2, 5);
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

        var plan = Make(local, remote, [upload], mayResume: what != "no-resume");

        Assert.Null(plan.Resume);
        Assert.Contains(reason, Assert.Single(plan.Drop).Reason, StringComparison.Ordinal);
        Assert.Equal(what == "snapshot" ? 0 : 1, plan.Remove.Count);
    }

    public static TheoryData<string, string> ForeignTokens =>
        new()
        {
            { "snapshot", "another snapshot" },
            { "base", "another snapshot" },
            { "name", "another name" },
            { "raw", "is not sent raw" },
            { "compressed", "compressed blocks" },
            { "embedded", "embedded blocks" },
            { "pairs", "more than how a stream continues" },
            { "object", "a place that no stream has" },
            { "offset", "a place that no stream has" },
            { "bytes", "a place that no stream has" },
            { "text", "not valid" },
        };

    [Theory]
    [MemberData(nameof(ForeignTokens))]
    public void A_token_that_differs_from_the_plan_is_refused(string what, string reason)
    {
        var token = ResumeToken.Parse(Token(2, 1).ReceiveResumeToken!);
        token = what switch
        {
            "snapshot" => token with { SnapshotGuid = 3 },
            "base" => token with { BaseGuid = null },
            "name" => token with { FullSnapshotName = "tank/data@s3" },
            "raw" => token with { Raw = true },
            "compressed" => token with { Compressed = true },
            "embedded" => token with { Embedded = true },
            "pairs" => token with { OtherPairs = [NvPair.Of("redact_snaps", 3UL)] },
            "object" => token with { Object = 1UL << 50 },
            "offset" => token with { Offset = 1UL << 63 },
            "bytes" => token with { Bytes = ulong.MaxValue },
            _ => token,
        };
        var text = what == "text" ? "1-0-0-0" : token.ToString();

        var plan = Make(
            [Snapshot(1, Committed), Bookmark(1), Snapshot(2, Pending)],
            [Backups.Full(1)],
            [Upload(2, 1) with { Resume = Token(2, 1) with { ReceiveResumeToken = text } }]
        );

        Assert.Null(plan.Resume);
        Assert.Contains(reason, Assert.Single(plan.Drop).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_a_token_of_the_server_only_the_place_is_used()
    {
        var snapshot = Snapshot(2, Pending);
        var expected = new ExpectedStream(snapshot, new SnapshotGuid(1), IsVolume: false, ["-L"]);
        var lie = ResumeToken.Parse(Token(2, 1).ReceiveResumeToken!) with { FullSnapshotName = "tank/copy@s2" };

        var point = UploadResumePoint.Read(Token(2, 1) with { ReceiveResumeToken = lie.ToString() }, expected);

        Assert.Equal(lie with { FullSnapshotName = "tank/data@s2", LargeBlocks = true }, point.Token);
    }

    [Fact]
    public void The_token_of_an_encrypted_dataset_is_raw_whatever_the_state_says()
    {
        var snapshot = Snapshot(2, Pending);
        var expected = new ExpectedStream(snapshot, BaseGuid: null, IsVolume: false, ["-w"]);
        var raw = Lie(begin => begin with { BaseGuid = 0, Features = StreamFeatures.Raw | StreamFeatures.Compressed });
        var decrypted = Lie(begin => begin with { BaseGuid = 0, Features = StreamFeatures.None });

        var token = UploadResumePoint.Read(raw, expected).Token;
        var refused = Assert.Throws<NotResumableException>(() => UploadResumePoint.Read(decrypted, expected));

        Assert.True(token is { Raw: true, Compressed: true, LargeBlocks: true, Embedded: false });
        Assert.Contains("only sent raw", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_state_with_the_old_name_of_a_dataset_resumes_with_the_new_one()
    {
        var upload = Upload(2, null) with
        {
            DatasetName = "tank/before",
            Resume = Lie(begin => begin with { BaseGuid = 0, FullSnapshotName = "tank/before@s2" }),
        };

        var plan = Make([Snapshot(2, Pending)], [], [upload]);

        var point = UploadResumePoint.Read(upload.Resume, plan.Resume!.Expected);
        Assert.Equal("tank/data@s2", point.Token!.FullSnapshotName);
    }

    [Fact]
    public void Of_several_uploads_the_newest_resumes()
    {
        var plan = Make([Snapshot(2, Pending), Snapshot(3, Pending)], [], [Upload(2, null), Upload(3, null)]);

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
            [Snapshot(1, Committed) with { IsHeld = true }, Snapshot(2, mark: null) with { IsHeld = true }],
            [Backups.Full(1)],
            []
        );

        Assert.Equal(1UL, Assert.Single(plan.Release).Guid.Value);
    }

    /// <summary>Two servers for one dataset: what waits for one of them is left alone by the other.</summary>
    [Theory]
    [InlineData("0ther5e1f", "web1")]
    [InlineData("5e1fc0de", "web2")]
    public void Snapshots_of_another_server_or_client_are_left_alone(string server, string client)
    {
        var other = new MarkOwner(server, client);
        var plan = Make(
            [
                Snapshot(1, UploadMark.Committed(other)) with
                {
                    IsHeld = true,
                },
                Snapshot(2, UploadMark.Pending(other, Run)) with
                {
                    IsHeld = true,
                },
            ],
            [],
            []
        );

        Assert.True(plan is { Acknowledge.Count: 0, Release.Count: 0, Resume: null, Drop.Count: 0, Remove.Count: 0 });
        Assert.True(plan is { Adopt.Count: 0, Unclear.Count: 0, Active: null });
    }

    [Fact]
    public void Marks_that_were_made_before_the_server_told_its_id_are_its_own()
    {
        var plan = Make([Snapshot(2, UploadMark.Pending(Identity.OlderOwner, Run))], [], []);

        Assert.Equal(2UL, Assert.Single(plan.Remove).Guid.Value);
    }

    /// <summary>The state that version 48e77d3 left: marks without an owner, on snapshots of two servers.</summary>
    [Fact]
    public void Marks_of_earlier_versions_are_adopted_where_this_server_knows_the_snapshot_and_left_alone_elsewhere()
    {
        var oldPending = UploadMark.TryParse("pending");
        var oldCommitted = UploadMark.TryParse("committed");
        var plan = Make(
            [
                Snapshot(1, oldCommitted) with
                {
                    IsHeld = true,
                },
                Snapshot(2, oldPending),
                Snapshot(3, oldPending),
                Snapshot(4, oldPending),
                Snapshot(5, oldCommitted),
            ],
            [Backups.Full(1), Backups.Full(2)],
            [Upload(3, null)]
        );

        Assert.Equal(1UL, Assert.Single(plan.Adopt).Guid.Value);
        Assert.Equal(1UL, Assert.Single(plan.Release).Guid.Value);
        Assert.Equal(2UL, Assert.Single(plan.Acknowledge).Guid.Value);
        Assert.Equal(3UL, plan.Resume?.Snapshot.Guid.Value);
        Assert.Equal(4UL, Assert.Single(plan.Unclear).Guid.Value);
        Assert.Contains("zfs release zsm-upload tank/data@s4", Assert.Single(plan.DescribeLeftAlone()));
        Assert.True(plan is { Remove.Count: 0, Drop.Count: 0 });
    }

    /// <summary>Two hosts with one NAS (ZFS_SSH_HOST): the lock of one does not stop the other.</summary>
    [Theory]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public void A_run_on_another_host_is_left_alone_while_it_may_be_at_work(bool uploads, bool active)
    {
        var elsewhere = UploadMark.Pending(Owner, new RunId("ffffffff", "00000001"));

        var plan = Make(
            [Snapshot(2, elsewhere)],
            [],
            uploads ? [Upload(2, null) with { Active = active, MachineId = Identity.Machine.Id }] : []
        );

        Assert.Equal(active ? 2UL : null, plan.Active?.SnapshotGuid?.Value);
        Assert.Equal(uploads ? 0 : 1, plan.Elsewhere.Count);
        Assert.Empty(plan.Unclear);
        if (!uploads)
            Assert.Contains("zfs-client backup --take-over", Assert.Single(plan.DescribeLeftAlone()));
        Assert.True(plan is { Resume: null, Remove.Count: 0, Drop.Count: 0, Acknowledge.Count: 0 });
    }

    [Fact]
    public void What_a_run_on_another_host_left_resumes_once_it_is_no_longer_active()
    {
        var elsewhere = UploadMark.Pending(Owner, new RunId("ffffffff", "00000001"));
        LocalSnapshot[] local = [Snapshot(2, elsewhere)];
        var upload = Upload(2, null) with { Active = true };

        Assert.NotNull(Make(local, [], [upload with { Active = false }]).Resume);
        Assert.NotNull(
            LeftoverPlan
                .Make(Dataset, ZfsSend.DefaultFlags, local, [], [upload], Identity with { TakesOver = true }, true)
                .Resume
        );
        Assert.NotNull(Make([Snapshot(2, Pending)], [], [upload]).Resume);
    }

    [Fact]
    public void The_upload_of_another_machine_is_neither_resumed_nor_dropped()
    {
        var others = Upload(2, null) with { MachineId = Machine.Of("m2", "clone").Id };

        var plan = Make([], [], [others]);
        var withSnapshot = Make([Snapshot(2, Pending)], [], [others]);

        Assert.True(plan is { Drop.Count: 0, Resume: null });
        Assert.True(withSnapshot is { Drop.Count: 0, Resume: null });
    }

    /// <summary>A clone keeps /etc/machine-id. A machine that was renamed has the snapshot of its upload.</summary>
    [Fact]
    public void The_upload_of_a_clone_is_not_dropped_and_that_of_a_machine_before_it_was_renamed_resumes()
    {
        var upload = Upload(2, null) with { MachineId = Identity.Machine.Id, MachineName = "clone" };

        Assert.True(Make([], [], [upload]) is { Drop.Count: 0, Resume: null });
        Assert.NotNull(Make([Snapshot(2, Pending)], [], [upload]).Resume);
        Assert.Single(Make([], [], [upload with { MachineName = Identity.Machine.Name }]).Drop);
    }

    private static LeftoverPlan Make(
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote,
        UploadInfo[] uploads,
        bool mayResume = true
    ) => LeftoverPlan.Make(Dataset, ZfsSend.DefaultFlags, local, remote, uploads, Identity, mayResume);

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

    /// <summary>What is stored of snapshot 2 on base 1, with another BEGIN.</summary>
    private static UploadResume Lie(Func<SnapshotStreamInfo, SnapshotStreamInfo> change)
    {
        var state = StateOf(2, 1);
        var begin = change(state.Snapshot!);
        return Resume(state with { Begin = begin, Snapshot = begin });
    }

    /// <summary>The state of a snapshot's stream after a few records.</summary>
    private static ParserState StateOf(ulong guid, ulong? from)
    {
        var parser = new SendStreamParser();
        ReadOnlySpan<byte> input = new StreamBuilder()
            .Begin(guid, from ?? 0, $"tank/data@s{guid}", StreamFeatures.SaSpill)
            .Object(1, bonus: [])
            .Write(1, 0, StreamBuilder.Noise(512, 1))
            .ToArray();
        while (parser.Read(ref input, out _) != ParserEvent.NeedMoreInput) { }

        return parser.State;
    }

    private static LocalSnapshot Snapshot(ulong guid, UploadMark? mark) =>
        new(SnapshotName.Parse($"tank/data@s{guid}"), new SnapshotGuid(guid), CreateTxg: guid * 10, Creation, mark);

    internal static LocalSnapshot Bookmark(ulong guid) =>
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
                FullSnapshotName = $"tank/data@s{guid}",
            }.ToString(),
        };
}
