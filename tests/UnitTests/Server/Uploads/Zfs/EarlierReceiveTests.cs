using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.Uploads.Zfs;
using ZfsSnapshotManager.Server.ZfsStorage;
using ZfsSnapshotManager.UnitTests.Rotation;
using ZfsSnapshotManager.UnitTests.Server.Catalogue;
using ZfsSnapshotManager.UnitTests.Server.ZfsStorage;
using ZfsSnapshotManager.UnitTests.Zfs;

namespace ZfsSnapshotManager.UnitTests.Server.Uploads.Zfs;

/// <summary>What an earlier receive of an upload left, or still does behind an ssh that broke.</summary>
public sealed class EarlierReceiveTests : IAsyncDisposable
{
    private static readonly SnapshotNote Note = SnapshotNoteTests.Note;

    private static readonly SnapshotStreamInfo Begin = new()
    {
        SnapshotGuid = Note.Manifest.SnapshotGuid.Value,
        BaseGuid = 0,
        FullSnapshotName = "tank/data@monday",
        Type = DatasetType.Filesystem,
        Features = StreamFeatures.None,
        Flags = 0,
        CreationTime = DateTimeOffset.UnixEpoch,
    };

    private static readonly ClientEntry Client = new()
    {
        ClientId = "web1",
        ApiKey = "",
        Dataset = "tank/web1",
    };

    private readonly TemporaryFolder _folder = new();
    private readonly ScriptedPrograms _programs = new();
    private readonly UploadCatalogue _uploads;
    private readonly ZfsReceives _receives;
    private readonly ReceiveStart _start;
    private readonly ZfsStreams _streams;

    public EarlierReceiveTests()
    {
        // Notes each command; the files "snapshot" and "token" are what ZFS has.
        var zfs = _programs.Zfs(
            $"""
            cd {_folder.Path}
            echo "$*" >> commands
            case "$*" in
            *guid,written*)
                [ -e snapshot ] && cat snapshot && exit 0
                echo "cannot open '$8': dataset does not exist" >&2
                exit 1 ;;
            *receive_resume_token*tank/web1/*) [ -e token ] && cat token ;;
            "receive -s"*) cat > /dev/null ;;
            esac
            exit 0
            """
        );
        var time = new SetTime(History.Now);
        var settings = TestSettings.In(_folder);
        var database = new CatalogueDatabase(settings);
        database.Prepare();
        _uploads = TestUploads.CatalogueIn(database, time);
        var datasets = new ClientDatasets(settings, zfs, time, new KeptLog<ClientDatasets>());
        _receives = new ZfsReceives(zfs, time);
        _start = new ReceiveStart(
            zfs,
            datasets,
            _receives,
            _uploads,
            new DeletionCatalogue(database),
            new ClientQuota(new BackupCatalogue(database), null!, null!, datasets, settings),
            settings,
            time
        );
        _streams = new ZfsStreams(
            _start,
            _receives,
            new PartSequencer(),
            null!,
            null!,
            null!,
            new PartCatalogue(database, time),
            _uploads
        );
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _receives.DisposeAsync();
        _start.Dispose();
        _programs.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task An_upload_whose_snapshot_may_still_appear_keeps_its_note_when_it_is_resumed()
    {
        var upload = OpenWithNote();

        Assert.Null(await _streams.PrepareAsync(upload, Token));

        var kept = _uploads.Find(Client.ClientId, upload.UploadId)!;
        Assert.Equal((UploadState.Committing, upload.Note), (kept.State, kept.Note));
    }

    [Fact]
    public async Task A_snapshot_that_appeared_meanwhile_is_not_forgotten_for_a_new_receive()
    {
        var upload = OpenWithNote();
        await File.WriteAllTextAsync(_folder.File("snapshot"), $"{Begin.SnapshotGuid}\t100\n", Token);

        var refused = await Assert.ThrowsAsync<RequestException>(() => _start.RunAsync(upload, Client, Begin, Token));

        Assert.Equal("receive_interrupted", refused.Error.Code);
        Assert.Equal(upload.Note, _uploads.Find(Client.ClientId, upload.UploadId)!.Note);
    }

    [Fact]
    public async Task A_new_receive_ends_what_is_known_of_the_one_before()
    {
        var upload = OpenWithNote();

        await _start.RunAsync(upload, Client, Begin, Token);

        var kept = _uploads.Find(Client.ClientId, upload.UploadId)!;
        Assert.Equal(UploadState.Receiving, kept.State);
        Assert.Null(kept.Note);
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public async Task What_a_dropped_upload_left_is_aborted_unless_another_one_goes_on_there(
        bool hasSuccessor,
        bool isAborted
    )
    {
        var target = SnapshotName.Parse("tank/web1/tank_data@monday");
        var dropped = Open("one");
        Assert.True(_uploads.SetTarget(dropped, target));
        Assert.True(_uploads.Abandon(dropped, dropped: null));
        if (hasSuccessor)
            Assert.True(_uploads.SetTarget(Open("two"), target));
        var left = new ResumeToken
        {
            BaseGuid = null,
            Object = 1,
            Offset = 0,
            Bytes = 100,
            SnapshotGuid = Begin.SnapshotGuid,
            FullSnapshotName = Begin.FullSnapshotName,
        };
        await File.WriteAllTextAsync(_folder.File("token"), $"{left}\n", Token);

        await _streams.DiscardAsync(dropped);

        var commands = File.Exists(_folder.File("commands")) // with a successor ZFS is not even asked
            ? await File.ReadAllLinesAsync(_folder.File("commands"), Token)
            : [];
        Assert.Equal(isAborted, commands.Contains("receive -A tank/web1/tank_data"));
    }

    private UploadRecord OpenWithNote()
    {
        var upload = Open("one");
        Assert.True(_uploads.SetTarget(upload, SnapshotName.Parse("tank/web1/tank_data@monday")));
        Assert.True(_uploads.SetNote(upload, Note.ToJson()));
        return _uploads.Find(Client.ClientId, upload.UploadId)!;
    }

    private UploadRecord Open(string id) =>
        _uploads.Open(
            TestUploads.Make(id, Client.ClientId) with
            {
                SnapshotId = $"{Client.ClientId}/{id}",
                ObjectKey = null,
                ZfsDataset = Client.Dataset,
                StorageType = StorageTypes.Local,
                SnapshotGuid = Note.Manifest.SnapshotGuid,
            }
        )!;
}
