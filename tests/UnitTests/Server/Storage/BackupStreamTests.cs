using System.Security.Cryptography;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.UnitTests.Server.Storage;

public sealed class BackupStreamTests
{
    private const int PartSize = 10;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task After_its_buffers_were_given_back_one_part_is_read_and_none_ahead()
    {
        using var folder = new TemporaryFolder();
        var store = new DirectoryStore(TestSettings.In(folder));
        store.Prepare();
        await File.WriteAllBytesAsync(folder.File("objects/a"), new byte[4 * PartSize], Token);
        var digest = Convert.ToHexStringLower(SHA256.HashData(new byte[PartSize]));
        var part = new StoredPart { Size = PartSize, Sha256 = digest };
        var stored = new StoredObject { Key = "a", Size = 4 * PartSize };
        var buffers = new PartBuffers(PartSize, limit: 3);
        await using var stream = new BackupStream(store, buffers, BackupLayout.Of([stored], [part, part, part, part]));

        await stream.PrepareAsync(Token);
        Assert.Equal(0, CountFree(buffers)); // it reads ahead as far as there is memory
        await stream.ReleaseAsync();
        await stream.PrepareAsync(Token);
        Assert.Equal(2, CountFree(buffers));

        Assert.Equal(PartSize, (await stream.ReadSliceAsync(PartSize, Token)).Length);
        Assert.True(stream.IsAtPartEnd);
        await stream.ReadSliceAsync(1, Token);
        Assert.False(stream.IsAtPartEnd);
        Assert.Equal(0, CountFree(buffers)); // a whole part without a pause: it reads ahead again
    }

    private static int CountFree(PartBuffers buffers)
    {
        using var share = buffers.Open();
        List<byte[]> rented = [];
        while (share.TryRent(PartSize) is { } buffer)
            rented.Add(buffer);
        rented.ForEach(share.Return);
        return rented.Count;
    }
}
