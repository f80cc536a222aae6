using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.UnitTests.Rotation;

namespace ZfsSnapshotManager.UnitTests.Server.Catalogue;

/// <summary>The states of an upload in a real catalogue: it is opened once and committed once.</summary>
public sealed class UploadStateTests : IDisposable
{
    private const string Client = "web1";

    private readonly TemporaryFolder _folder = new();
    private readonly BackupCatalogue _backups;
    private readonly UploadCatalogue _uploads;

    public UploadStateTests()
    {
        var database = new CatalogueDatabase(TestSettings.In(_folder));
        database.Prepare();
        _backups = new BackupCatalogue(database);
        _uploads = new UploadCatalogue(database, new SetTime(History.Now));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_commit_lists_the_backup_and_ends_its_upload()
    {
        var upload = Open("one");
        var backup = History.Backup(1, from: null, History.Now);

        Assert.True(_backups.Commit(Client, upload.UploadId, backup));

        Assert.Equal(backup.SnapshotId, Assert.Single(_backups.List(Client)).SnapshotId);
        Assert.Empty(_uploads.List(Client));
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
    public void An_upload_that_was_committed_is_not_committed_again()
    {
        var upload = Open("one");
        Assert.True(_backups.Commit(Client, upload.UploadId, History.Backup(1, from: null, History.Now)));

        var other = History.Backup(2, from: null, History.Now) with
        {
            SnapshotId = "web1/b",
            StorageKey = "web1/b.zfs",
        };
        Assert.Throws<InvariantException>(() => _backups.Commit(Client, upload.UploadId, other));

        Assert.Single(_backups.List(Client));
    }

    [Fact]
    public void An_upload_that_was_dropped_is_not_committed()
    {
        var upload = Open("one");
        _uploads.Remove(upload.UploadId);

        var broken = Assert.Throws<InvariantException>(() =>
            _backups.Commit(Client, upload.UploadId, History.Backup(1, from: null, History.Now))
        );

        Assert.Contains("upload one", broken.Message, StringComparison.Ordinal);
        Assert.Empty(_backups.List(Client));
    }

    private UploadRecord Open(string uploadId) =>
        _uploads.Open(
            new UploadRecord
            {
                UploadId = uploadId,
                ClientId = Client,
                SnapshotId = $"{Client}/tank_data",
                StorageKey = $"{Client}/tank_data.zfs",
                DatasetName = DatasetName.Parse("tank/data"),
                SnapshotName = null,
                SnapshotGuid = null,
                KindIsGiven = false,
                FromGuid = null,
                Compression = CompressionFormat.None,
                Raw = null,
                SendFlags = [],
                SnapshotType = default,
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
