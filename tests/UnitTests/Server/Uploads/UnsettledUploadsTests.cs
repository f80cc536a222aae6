using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Uploads;
using ZfsSnapshotManager.Server.Uploads.Objects;
using ZfsSnapshotManager.Server.Uploads.Zfs;
using ZfsSnapshotManager.UnitTests.Rotation;
using ZfsSnapshotManager.UnitTests.Server.Catalogue;
using ZfsSnapshotManager.UnitTests.Server.Storage;
using ZfsSnapshotManager.UnitTests.Zfs;

namespace ZfsSnapshotManager.UnitTests.Server.Uploads;

/// <summary>What an earlier run left is finished although the store does not answer, as far as it needs none.</summary>
public sealed class UnsettledUploadsTests : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ScriptedPrograms _programs = new();
    private readonly AbsentStore _store = new();
    private readonly RecoveryProgress _progress = new();
    private readonly UploadCatalogue _uploads;
    private readonly ZfsReceives _receives;
    private readonly UnsettledUploads _unsettled;

    public UnsettledUploadsTests()
    {
        var time = new SetTime(History.Now);
        var settings = TestSettings.In(_folder);
        var database = new CatalogueDatabase(settings);
        database.Prepare();
        var run = new ServerRun();
        _uploads = TestUploads.CatalogueIn(database, time);
        _receives = new ZfsReceives(_programs.Zfs("exit 0"), time);
        var parts = new PartCatalogue(database, time);
        var fence = new StoreFence(_store, null!, database, run, time, new KeptLog<StoreFence>());
        var objects = new ObjectRecovery(
            new BackupStore(_store, new PartBuffers(_store.PartSize, 1)),
            new BackupCatalogue(database),
            _uploads,
            parts,
            fence,
            time,
            new KeptLog<ObjectRecovery>()
        );
        var streams = new ZfsStreams(null!, _receives, new PartSequencer(), null!, null!, null!, parts, _uploads);
        var backends = new UploadBackends(
            new ObjectUploads(null!, parts, null!, null!, null!, objects, null!),
            new ZfsUploads(_uploads, parts, null!, null!, streams, null!, null!)
        );
        _unsettled = new UnsettledUploads(
            _uploads,
            new UploadSessions(),
            new UploadRecovery(backends, _uploads, time, new KeptLog<UploadRecovery>()),
            fence,
            _progress
        );
    }

    public async ValueTask DisposeAsync()
    {
        await _receives.DisposeAsync();
        _programs.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_store_that_does_not_answer_is_asked_once_and_ZFS_needs_none()
    {
        foreach (var id in (string[])["one", "two"])
            Abandon(TestUploads.Make(id, "web1") with { SnapshotId = $"web1/{id}", ObjectKey = $"web1/{id}.zfs" });
        Abandon(
            TestUploads.Make("three", "web1") with
            {
                SnapshotId = "web1/three",
                ObjectKey = null,
                ZfsDataset = "tank/web1",
                StorageType = StorageTypes.Local,
            }
        );

        var failed = await Assert.ThrowsAsync<StorageException>(() =>
            _unsettled.RecoverAsync(TestContext.Current.CancellationToken)
        );
        _progress.End();

        Assert.Equal(StorageFault.Unavailable, failed.Fault);
        Assert.Equal(1, _store.Requests);
        Assert.Equal(["one", "two"], _uploads.ListUnsettled().Select(upload => upload.UploadId).Order());
        Assert.EndsWith("tried again every hour: 2", _progress.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_left_once_all_of_it_is_finished()
    {
        Assert.NotNull(_progress.Message);

        await _unsettled.RecoverAsync(TestContext.Current.CancellationToken);
        _progress.End();

        Assert.Null(_progress.Message);
    }

    private void Abandon(UploadRecord wanted) => Assert.True(_uploads.Abandon(_uploads.Open(wanted)!, dropped: null));
}
