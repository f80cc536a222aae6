using System.Security.Cryptography;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Uploads.Parts;
using ZfsSnapshotManager.UnitTests.Rotation;
using ZfsSnapshotManager.UnitTests.Server.Catalogue;

namespace ZfsSnapshotManager.UnitTests.Server.Uploads;

/// <summary>A part that arrives after a commit has completed its object, and then failed.</summary>
public sealed class CompletedObjectsTests : IDisposable
{
    private static readonly byte[] Content = [1, 2, 3];

    private static readonly PartRequest First = new()
    {
        Number = 1,
        Size = Content.Length,
        Sha256 = Convert.ToHexStringLower(SHA256.HashData(Content)),
        StoredOffset = 0,
        Start = ParserState.Start,
        End = null,
    };

    private readonly TemporaryFolder _folder = new();
    private readonly DirectoryStore _store;
    private readonly PartCatalogue _parts;
    private readonly CompletedObjects _completed;
    private readonly UploadRecord _upload;

    public CompletedObjectsTests()
    {
        var settings = TestSettings.In(_folder);
        var database = new CatalogueDatabase(settings);
        database.Prepare();
        _store = new DirectoryStore(settings);
        _store.Prepare();
        _parts = new PartCatalogue(database, new SetTime(History.Now));
        _completed = new CompletedObjects(new BackupStore(_store, new PartBuffers(1024, 1)), _parts);
        _upload = TestUploads.CatalogueIn(database, new SetTime(History.Now)).Open(TestUploads.Make("one", "web1"))!;
        Assert.True(_parts.Put(_upload, First.ToRecord(ParserState.Start, endChecksum: null, receipt: "")));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_part_of_a_complete_object_is_stored()
    {
        await CompleteAsync();

        Assert.Equal(1, (await _completed.FindAsync(_upload, First, Token))?.Number);
    }

    [Fact]
    public async Task Another_part_is_refused_and_nothing_is_forgotten()
    {
        await CompleteAsync();

        foreach (
            var other in (PartRequest[])
                [First with { Sha256 = "" }, First with { StoredOffset = 1 }, First with { Number = 2 }]
        )
        {
            var refused = await Assert.ThrowsAsync<RequestException>(() => _completed.FindAsync(_upload, other, Token));
            Assert.Equal("part_misplaced", refused.Error.Code);
        }

        Assert.NotNull(_parts.Find("one", 1));
    }

    [Fact]
    public async Task An_object_that_is_not_complete_has_no_parts()
    {
        Assert.Null(await _completed.FindAsync(_upload, First, Token));
    }

    private Task CompleteAsync() =>
        _store.PutNewAsync(_upload.StorageKey, Content, _upload.UploadId, ObjectKind.Stream, Token);
}
