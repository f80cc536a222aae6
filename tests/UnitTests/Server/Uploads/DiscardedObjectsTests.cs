using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Uploads.Objects;
using ZfsSnapshotManager.UnitTests.Manifests;
using ZfsSnapshotManager.UnitTests.Rotation;
using ZfsSnapshotManager.UnitTests.Server.Catalogue;

namespace ZfsSnapshotManager.UnitTests.Server.Uploads;

/// <summary>What is removed of a dropped upload, in a real store.</summary>
public sealed class DiscardedObjectsTests : IDisposable
{
    private static readonly byte[] Content = [1, 2, 3];

    private readonly TemporaryFolder _folder = new();
    private readonly KeptLog<ObjectRecovery> _log = new();
    private readonly UploadCatalogue _uploads;
    private readonly BackupStore _store;
    private readonly ObjectRecovery _recovery;

    public DiscardedObjectsTests()
    {
        var time = new SetTime(History.Now);
        var settings = TestSettings.In(_folder);
        var database = new CatalogueDatabase(settings);
        database.Prepare();
        var directory = new DirectoryStore(settings);
        directory.Prepare();
        _uploads = TestUploads.CatalogueIn(database, time);
        _store = new BackupStore(directory, new PartBuffers(settings.PartSize, 1));
        _recovery = new ObjectRecovery(
            _store,
            new BackupCatalogue(database),
            _uploads,
            new PartCatalogue(database, time),
            new StoreFence(directory, null!, database, new ServerRun(), time, new KeptLog<StoreFence>()),
            time,
            _log
        );
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("u", true)]
    [InlineData("another", false)]
    public async Task What_another_upload_stored_under_the_key_stays(string writer, bool isRemoved)
    {
        var upload = _uploads.Open(TestUploads.Make("u", "web1") with { ObjectKey = TestManifests.Key })!;
        Assert.True(_uploads.Abandon(upload, dropped: null));
        var part = StoredPart.Of(Content);
        await _store.Objects.PutNewAsync(TestManifests.Key, Content, writer, ObjectKind.Stream, Token);
        var manifest = TestManifests.Make(part) with { UploadId = writer };
        await _store.WriteManifestAsync(TestManifests.Key, manifest, [part], Token);

        await _recovery.RemovePartsAsync(_uploads.FindAny("u")!, Token);

        var (left, first) = await _store.FindAsync(TestManifests.Key, Token);
        Assert.Equal((isRemoved, isRemoved), (left is null, first is null));
        Assert.Equal(isRemoved, _log.Lines.Count == 0);
    }
}
