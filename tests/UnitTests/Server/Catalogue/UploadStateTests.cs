using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.UnitTests.Rotation;

namespace ZfsSnapshotManager.UnitTests.Server.Catalogue;

/// <summary>The states of an upload in a real catalogue: it is opened once and committed once.</summary>
public sealed class UploadStateTests : IDisposable
{
    private const string Client = "web1";

    private readonly TemporaryFolder _folder = new();
    private readonly CatalogueDatabase _database;
    private readonly BackupCatalogue _backups;
    private readonly UploadCatalogue _uploads;
    private readonly PartCatalogue _parts;

    public UploadStateTests()
    {
        _database = new CatalogueDatabase(TestSettings.In(_folder));
        _database.Prepare();
        _backups = new BackupCatalogue(_database);
        _uploads = Start();
        _parts = new PartCatalogue(_database, new SetTime(History.Now));
    }

    private static ServerEvent Committed { get; } =
        ServerEvent.Of(ServerEvents.BackupCommitted, EventActor.Client, History.Now);

    private static ServerEvent Deleted { get; } =
        ServerEvent.Of(ServerEvents.BackupDeleted, EventActor.Server, History.Now);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_commit_lists_the_backup_and_ends_its_upload()
    {
        var upload = Open("one");
        var backup = History.Backup(1, from: null, History.Now);

        Assert.True(_backups.Commit(upload, backup, Committed));

        Assert.Equal(backup.SnapshotId, Assert.Single(_backups.List(Client)).SnapshotId);
        Assert.Empty(_uploads.List(Client));
        Assert.Equal(Committed.Id, Assert.Single(_database.Outbox.List(-1)).Event?.Id);
    }

    [Fact]
    public void The_properties_that_were_announced_are_kept_with_the_upload()
    {
        Open("one");

        var upload = Assert.Single(_uploads.List(Client));

        Assert.Equal("two\nlines\tand a tab", upload.Properties!["org:note"]);
        Assert.Equal("posix", upload.EffectiveProperties!["acltype"].Value);
        Assert.Equal("inherited", upload.EffectiveProperties["acltype"].Source);
    }

    [Fact]
    public void Uploads_are_counted_without_being_read()
    {
        for (var number = 1; number <= 50; number++)
            _uploads.Open(
                TestUploads.Make($"{number}", Client) with
                {
                    SnapshotId = $"{Client}/{number}",
                    ObjectKey = $"{Client}/{number}.zfs",
                    SnapshotGuid = new SnapshotGuid((ulong)number),
                    KindIsGiven = true,
                    Properties = new Dictionary<string, string>(StringComparer.Ordinal)
                    {
                        ["org:note"] = new string('x', 16_000),
                    },
                }
            );
        Assert.Equal(50, _uploads.Count(Client));

        var before = GC.GetAllocatedBytesForCurrentThread();
        _uploads.Count(Client);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 50_000);
    }

    /// <summary>What the upload's stream demands of its base is not known before it arrives.</summary>
    [Theory]
    [InlineData(StorageTypes.Objects, "", true)] // just like it
    [InlineData(StorageTypes.Objects, "raw", false)]
    [InlineData(StorageTypes.Local, "", false)]
    public void The_base_of_an_open_upload_is_removed_only_if_one_just_like_it_stays(
        string storage,
        string feature,
        bool isRemoved
    )
    {
        var backup = History.Backup(1, null, History.Now);
        var other = backup with
        {
            SnapshotId = $"{Client}/copy",
            StorageKey = $"{Client}/copy.zfs",
            DatasetName = "tank/copy",
            StorageType = storage,
            Features = feature.Length == 0 ? backup.Features : [feature],
        };
        _backups.AddAll([new ListedBackup(Client, backup), new ListedBackup(Client, other)]);
        _uploads.SetBase(Open("one"), backup.SnapshotGuid);

        Assert.Equal(isRemoved, _backups.Remove(Client, backup, Deleted));
    }

    [Fact]
    public void An_upload_that_was_committed_is_not_committed_again()
    {
        var upload = Open("one");
        Assert.True(_backups.Commit(upload, History.Backup(1, from: null, History.Now), Committed));

        var other = History.Backup(2, from: null, History.Now) with
        {
            SnapshotId = "web1/b",
            StorageKey = "web1/b.zfs",
        };
        Assert.Throws<InvariantException>(() => _backups.Commit(upload, other, Committed));

        Assert.Single(_backups.List(Client));
    }

    [Fact]
    public void An_upload_that_was_dropped_is_not_committed()
    {
        var upload = Open("one");
        _uploads.Remove(upload);

        var broken = Assert.Throws<InvariantException>(() =>
            _backups.Commit(upload, History.Backup(1, from: null, History.Now), Committed)
        );

        Assert.Contains("upload one", broken.Message, StringComparison.Ordinal);
        Assert.Empty(_backups.List(Client));
        Assert.Empty(_database.Outbox.List(-1));
    }

    [Fact]
    public void A_request_that_was_replaced_can_write_nothing()
    {
        var replaced = Open("one");
        var now = _uploads.TakeOver(Client, "one", touched: true)!;
        var part = new PartRecord
        {
            Number = 1,
            StoredOffset = 0,
            Size = 1,
            Sha256 = "",
            Receipt = "",
            StartState = "",
            EndState = "",
            EndChecksum = null,
        };

        Assert.False(_uploads.SetState(replaced, UploadState.Committing));
        Assert.False(_uploads.SetNote(replaced, "{}"));
        Assert.False(_uploads.SetTarget(replaced, SnapshotName.Parse("tank/a@b")));
        Assert.False(_uploads.Abandon(replaced, Deleted));
        Assert.False(_parts.Put(replaced, part));
        Assert.Null(_parts.AddObject(replaced, 0, "token"));
        _uploads.SetBase(replaced, new SnapshotGuid(7));
        _uploads.NoteError(
            replaced,
            new ApiError
            {
                Success = false,
                Code = "late",
                Message = "",
            }
        );
        _uploads.Remove(replaced);
        Assert.Throws<InvariantException>(() =>
            _backups.Commit(replaced, History.Backup(1, from: null, History.Now), Committed)
        );
        Assert.Throws<InvariantException>(() =>
            _uploads.TryMove(replaced, "web1/b", "web1/b.zfs", storedBytes: 1, replaced: null)
        );

        var found = _uploads.Find(Client, "one")!;
        Assert.Equal((now.Takeovers, UploadState.Receiving), (found.Takeovers, found.State));
        Assert.Null(found.LastError);
        Assert.Null(found.BaseGuid);
        Assert.True(_parts.Put(now, part));
        _parts.RemoveFrom(replaced, 1);
        _parts.Clear(replaced, Deleted);
        Assert.Equal(part, Assert.Single(_parts.Walk("one")));
        Assert.Equal((0, 1), _backups.GetStoredBytes(Client));
        Assert.True(_uploads.SetState(now, UploadState.Committing));
        Assert.Empty(_database.Outbox.List(-1));
    }

    [Fact]
    public void Requests_of_several_parts_share_a_takeover_and_a_later_run_of_the_server_takes_over_once()
    {
        Open("one");
        Assert.Equal(_uploads.Join(Client, "one")!.Takeovers, _uploads.Join(Client, "one")!.Takeovers);
        var before = _uploads.Join(Client, "one")!;
        var restarted = Start();

        var first = restarted.Join(Client, "one")!;

        Assert.Equal(before.Takeovers + 1, first.Takeovers);
        Assert.Equal(first.Takeovers, restarted.Join(Client, "one")!.Takeovers);
        Assert.False(_uploads.SetState(before, UploadState.Committing));
    }

    [Fact]
    public void A_dropped_upload_is_found_by_nobody_keeps_no_base_and_reserves_its_id_until_it_is_removed()
    {
        var old = History.Backup(1, from: null, History.Now);
        _backups.AddAll([new ListedBackup(Client, old)]);
        var upload = Open("one");
        _uploads.SetBase(upload, old.SnapshotGuid);
        Assert.False(_backups.Remove(Client, old, Deleted));
        var dropped = ServerEvent.Of(ServerEvents.UploadDropped, EventActor.Client, History.Now);

        Assert.True(_uploads.Abandon(upload, dropped));

        Assert.Equal(dropped.Id, Assert.Single(_database.Outbox.List(-1)).Event?.Id);
        Assert.Null(_uploads.Find(Client, "one"));
        Assert.Null(_uploads.Join(Client, "one"));
        Assert.Empty(_uploads.List(Client));
        Assert.Equal(0, _uploads.Count(Client));
        Assert.False(_uploads.IsUnused(upload.SnapshotId));
        Assert.Equal("one", Assert.Single(_uploads.ListUnsettled()).UploadId);
        Assert.True(_backups.Remove(Client, old, Deleted));
        _uploads.Remove(upload);
        Assert.True(_uploads.IsUnused(upload.SnapshotId));
    }

    [Fact]
    public void An_upload_is_not_opened_if_another_machine_was_faster()
    {
        _uploads.Open(Record("one") with { MachineId = "0000000000000001", MachineName = "first" });
        var second = Record("two") with
        {
            SnapshotId = $"{Client}/other",
            MachineId = "0000000000000002",
            MachineName = "second",
        };

        Assert.Throws<OtherMachineException>(() => _uploads.Open(second));

        Assert.NotNull(_uploads.Open(second with { TakesOver = true }));
    }

    /// <summary>The uploads as a run of the server sees them.</summary>
    private UploadCatalogue Start() => TestUploads.CatalogueIn(_database, new SetTime(History.Now));

    private UploadRecord Open(string uploadId) => _uploads.Open(Record(uploadId))!;

    private static UploadRecord Record(string uploadId) =>
        TestUploads.Make(uploadId, Client) with
        {
            Properties = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["org:note"] = "two\nlines\tand a tab",
            },
            EffectiveProperties = new Dictionary<string, EffectiveProperty>(StringComparer.Ordinal)
            {
                ["acltype"] = new() { Value = "posix", Source = "inherited" },
            },
        };
}
