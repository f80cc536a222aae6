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

    public UploadStateTests()
    {
        _database = new CatalogueDatabase(TestSettings.In(_folder));
        _database.Prepare();
        _backups = new BackupCatalogue(_database);
        _uploads = new UploadCatalogue(_database, new SetTime(History.Now));
    }

    private static ServerEvent Committed { get; } =
        ServerEvent.Of(ServerEvents.BackupCommitted, EventActor.Client, History.Now);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_commit_lists_the_backup_and_ends_its_upload()
    {
        var upload = Open("one");
        var backup = History.Backup(1, from: null, History.Now);

        Assert.True(_backups.Commit(Client, upload.UploadId, backup, Committed));

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
                    StorageKey = $"{Client}/{number}.zfs",
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
        _uploads.SetBase(Open("one").UploadId, backup.SnapshotGuid);

        var deleted = ServerEvent.Of(ServerEvents.BackupDeleted, EventActor.Server, History.Now);

        Assert.Equal(isRemoved, _backups.Remove(Client, backup, deleted));
    }

    [Fact]
    public void An_upload_that_was_committed_is_not_committed_again()
    {
        var upload = Open("one");
        Assert.True(_backups.Commit(Client, upload.UploadId, History.Backup(1, from: null, History.Now), Committed));

        var other = History.Backup(2, from: null, History.Now) with
        {
            SnapshotId = "web1/b",
            StorageKey = "web1/b.zfs",
        };
        Assert.Throws<InvariantException>(() => _backups.Commit(Client, upload.UploadId, other, Committed));

        Assert.Single(_backups.List(Client));
    }

    [Fact]
    public void An_upload_that_was_dropped_is_not_committed()
    {
        var upload = Open("one");
        _uploads.Remove(upload.UploadId, dropped: null);

        var broken = Assert.Throws<InvariantException>(() =>
            _backups.Commit(Client, upload.UploadId, History.Backup(1, from: null, History.Now), Committed)
        );

        Assert.Contains("upload one", broken.Message, StringComparison.Ordinal);
        Assert.Empty(_backups.List(Client));
        Assert.Empty(_database.Outbox.List(-1));
    }

    private UploadRecord Open(string uploadId) =>
        _uploads.Open(
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
            }
        )!;
}
