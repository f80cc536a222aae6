using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.S3;

public sealed class DirectoryStoreContract : ObjectStoreContract
{
    private protected override Task<OpenStore> OpenAsync() => Task.FromResult<OpenStore>(new OpenDirectory());
}

/// <summary>What is special about S3: a limited number of parts, and the record of who wrote an object.</summary>
public abstract class S3StoreContract(S3Server server) : ObjectStoreContract
{
    private protected override async Task<OpenStore> OpenAsync() => await OpenBucket.OpenAsync(server);

    [Fact]
    public async Task A_stream_of_more_parts_than_an_object_may_have_is_stored_in_several()
    {
        await using var open = await OpenBucket.OpenAsync(
            server,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["S3_MAX_PARTS"] = "2" }
        );
        var size = open.Store.PartSize;
        foreach (var (length, count) in ((int, int)[])[(size * 2, 1), (size * 2 + 1, 2), (size * 5, 3)])
        {
            var (key, content, buffers) = ($"{Key}-{length}", Noise(length, 7), new PartBuffers(size, 4));
            var written = await WriteAsync(open.Store, buffers, key, content);

            Assert.Equal(count, written.Objects.Count);
            AssertDescribes(written, content, size, 2);
            await using (var stream = new BackupStream(open.Store, buffers, written.Layout))
            {
                AssertSame(content, await ReadAllAsync(stream), $"{length} bytes");
                stream.Position = length - 10;
                AssertSame(content.AsMemory(length - 10), await ReadAllAsync(stream), "the end");
            }

            AssertAllReturned(buffers);
            await new BackupStore(open.Store, buffers).DeleteAsync(key, Token);
            Assert.Empty(await ListAsync(open.Store, ""));
        }
    }

    [Fact]
    public async Task The_writer_of_an_object_may_complete_it_again()
    {
        await using var open = await OpenAsync();
        var (store, content) = (open.Store, Noise(open.Store.PartSize + 5, 8));
        for (var attempt = 0; attempt < 2; attempt++)
        {
            await using var writer = await ObjectParts.BeginAsync(store, Key, "upload-1");
            await writer.WritePartAsync(0, content.AsMemory(0, store.PartSize), Token);
            await writer.WritePartAsync(1, content.AsMemory(store.PartSize), Token);
            await writer.CompleteAsync(Token);
        }

        Assert.Equal("upload-1", (await store.FindAsync(Key, Token))!.UploadId);
        AssertSame(content, await ReadAsync(store, Key, 0, content.Length), "what is there");
        await using var other = await ObjectParts.BeginAsync(store, Key, "upload-2");
        await other.WritePartAsync(0, content.AsMemory(0, store.PartSize), Token);
        await other.WritePartAsync(1, content.AsMemory(store.PartSize), Token);
        await AssertFaultAsync(StorageFault.Exists, () => other.CompleteAsync(Token));
        Assert.Equal("upload-1", (await store.FindAsync(Key, Token))!.UploadId);
    }

    [Fact]
    public async Task Of_two_concurrent_writers_one_gets_the_key()
    {
        await using var open = await OpenAsync();
        var contents = ((int[])[1, 2]).Select(seed => Noise(10_000, seed)).ToList();
        var another = await open.OpenAgainAsync();

        var faults = await Task.WhenAll(TryAsync(open.Store, 0), TryAsync(another, 1));

        // Such a provider cannot detect it; only the check before protects the object.
        if (!((OpenBucket)open).Abilities.ConditionalPut)
            return;
        Assert.Single(faults, fault => fault is null);
        Assert.Single(faults, StorageFault.Exists);
        AssertSame(
            contents[faults.ToList().IndexOf(null)],
            await ReadAsync(open.Store, Key, 0, 10_000),
            "the winner's"
        );

        async Task<StorageFault?> TryAsync(IObjectStore store, int number)
        {
            try
            {
                await store.PutNewAsync(Key, contents[number], $"upload-{number}", ObjectKind.Stream, Token);
                return null;
            }
            catch (StorageException e)
            {
                return e.Fault;
            }
        }
    }

    [Fact]
    public async Task Objects_that_this_server_is_writing_never_count_as_abandoned()
    {
        await using var open = await OpenAsync();
        await using var writer = await ObjectParts.BeginAsync(open.Store, Key, "upload-1");
        await writer.WritePartAsync(0, new byte[100], Token);

        Assert.Equal(0, await open.Store.RemoveIncompleteAsync(DateTimeOffset.MaxValue, Nothing, Token));

        await writer.CompleteAsync(Token);
        Assert.Equal(100, (await open.Store.FindAsync(Key, Token))!.Size);
    }
}

[Collection("s3")]
public sealed class RadosgwStoreContract(Radosgw server) : S3StoreContract(server)
{
    [Fact]
    public async Task More_objects_than_a_page_holds_are_all_listed_in_order()
    {
        await using var open = await OpenAsync();
        var keys = Enumerable.Range(0, 1203).Select(number => $"many/{number:0000}").ToList();
        await Parallel.ForEachAsync(
            keys,
            new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = Token },
            async (key, token) => await open.Store.PutNewAsync(key, new byte[1], "upload-1", ObjectKind.Stream, token)
        );

        Assert.Equal(keys, (await ListAsync(open.Store, "many/")).Select(found => found.Key));
        Assert.Equal(keys[..100], (await ListAsync(open.Store, "many/00")).Select(found => found.Key));
    }
}

[Collection("s3")]
public sealed class SwiftStoreContract(Swift server) : S3StoreContract(server);
