using System.Security.Cryptography;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary>What every object store must do, and what holds for backups in it.</summary>
public abstract class ObjectStoreContract
{
    private protected const string Key = "web1/tank_data_2026-11-24_04:59:49.zfs";

    private protected static CancellationToken Token => TestContext.Current.CancellationToken;

    private protected static IReadOnlySet<string> Nothing { get; } = new HashSet<string>();

    private protected abstract Task<OpenStore> OpenAsync();

    [Fact]
    public async Task A_small_object_is_found_and_read_back_and_not_overwritten()
    {
        await using var open = await OpenAsync();
        var (store, content) = (open.Store, Noise(1000, 1));
        Assert.Null(await store.FindAsync(Key, Token));

        await store.PutNewAsync(Key, content, "upload-1", ObjectKind.Stream, Token);
        // The same again, as after a lost answer.
        await store.PutNewAsync(Key, content, "upload-1", ObjectKind.Stream, Token);
        await AssertFaultAsync(StorageFault.Exists, () =>
            store.PutNewAsync(Key, Noise(1000, 2), "upload-2", ObjectKind.Stream, Token)
        );
        await AssertFaultAsync(StorageFault.Exists, () =>
            store.PutNewAsync(Key, Noise(999, 1), "upload-1", ObjectKind.Stream, Token)
        );
        await using (var writer = await ObjectParts.BeginAsync(store, Key, "upload-3"))
        {
            await writer.WritePartAsync(0, Noise(500, 3), Token);
            await AssertFaultAsync(StorageFault.Exists, () => writer.CompleteAsync(Token));
        }

        var found = await store.FindAsync(Key, Token);
        Assert.Equal(1000, found!.Size);
        Assert.True(found.UploadId is null or "upload-1");
        Assert.Null(found.LockedUntil);
        Assert.Equal(content, await ReadAsync(store, Key, 0, 1000));
        Assert.Equal(0, await open.CountUnfinishedAsync());
    }

    [Fact]
    public async Task Parts_may_arrive_concurrently_in_any_order_and_nothing_is_visible_before_the_end()
    {
        await using var open = await OpenAsync();
        var store = open.Store;
        var content = Noise(store.PartSize * 2 + 12_345, 4);
        await using (var writer = await ObjectParts.BeginAsync(store, Key, "upload-1"))
        {
            await writer.WritePartAsync(2, content.AsMemory(store.PartSize * 2), Token);
            await Task.WhenAll(
                ((int[])[1, 0]).Select(part =>
                    writer.WritePartAsync(part, content.AsMemory(part * store.PartSize, store.PartSize), Token)
                )
            );
            Assert.Null(await store.FindAsync(Key, Token));
            Assert.Empty(await ListAsync(store, ""));

            await writer.CompleteAsync(Token);
            await writer.CompleteAsync(Token);
        }

        Assert.Equal(content.Length, (await store.FindAsync(Key, Token))!.Size);
        Assert.Equal(0, await open.CountUnfinishedAsync());
        foreach (
            var (offset, length) in ((int, int)[])
                [
                    (0, 1),
                    (0, 100_000),
                    (store.PartSize - 10, 20),
                    (store.PartSize - 1, store.PartSize + 2),
                    (content.Length - 1, 1),
                    (content.Length - 1000, 1000),
                    (0, content.Length),
                ]
        )
        {
            AssertSame(
                content.AsMemory(offset, length),
                await ReadAsync(store, Key, offset, length),
                $"{length} bytes from {offset}"
            );
        }

        await AssertFaultAsync(StorageFault.Missing, () => ReadAsync(store, Key, content.Length - 5, 6));
        await AssertFaultAsync(StorageFault.Missing, () => ReadAsync(store, Key, content.Length, 1));
        await AssertFaultAsync(StorageFault.Missing, () => ReadAsync(store, Key, content.Length + 1000, 10));
        await AssertFaultAsync(StorageFault.Missing, () => ReadAsync(store, Key + ".no", 0, 1));
        await AssertFaultAsync(StorageFault.Exists, () =>
            store.PutNewAsync(Key, new byte[10], "upload-2", ObjectKind.Stream, Token)
        );
    }

    [Fact]
    public async Task An_object_that_is_not_completed_leaves_nothing()
    {
        await using var open = await OpenAsync();
        await using (var writer = await ObjectParts.BeginAsync(open.Store, Key, "upload-1"))
        {
            await writer.WritePartAsync(0, new byte[open.Store.PartSize], Token);
            Assert.Equal(1, await open.CountUnfinishedAsync());
        }

        Assert.Null(await open.Store.FindAsync(Key, Token));
        Assert.Empty(await ListAsync(open.Store, ""));
        Assert.Equal(0, await open.CountUnfinishedAsync());
        await open.Store.PutNewAsync(Key, new byte[10], "upload-1", ObjectKind.Stream, Token);
    }

    [Fact]
    public async Task A_resumable_object_resumes_in_another_process_with_parts_of_any_size_in_any_order_and_twice()
    {
        await using var open = await OpenAsync();
        int[] sizes = [open.Store.PartSize + 17, open.Store.PartSize, open.Store.PartSize + 3001, 5];
        var content = Noise(sizes.Sum(), 11);
        ObjectParts parts;
        await using (parts = await ObjectParts.BeginAsync(open.Store, Key, "upload-1", resumable: true))
        {
            await WriteAsync(parts, 2);
            await parts.WritePartAsync(0, 0, Noise(sizes[0], 12), Token); // of an attempt that is sent again
        }

        var store = await open.OpenAgainAsync();
        Assert.Equal(
            0,
            await store.RemoveIncompleteAsync(
                DateTimeOffset.MaxValue,
                new HashSet<string> { parts.Writer.Token },
                Token
            )
        );
        Assert.Equal(1, await open.CountUnfinishedAsync());
        Assert.Null(await store.FindAsync(Key, Token));
        await using (parts = parts.ReopenBy(store, Key, "upload-1"))
            await Task.WhenAll(WriteAsync(parts, 3), WriteAsync(parts, 0));
        await using (parts = parts.ReopenBy(store, Key, "upload-1"))
        {
            await WriteAsync(parts, 1);
            await parts.CompleteAsync(Token);
        }

        // Its answer was lost.
        await using (parts = parts.ReopenBy(await open.OpenAgainAsync(), Key, "upload-1"))
            await parts.CompleteAsync(Token);
        Assert.Equal(0, await open.CountUnfinishedAsync());
        AssertSame(content, await ReadAsync(store, Key, 0, content.Length), "the object");

        Task WriteAsync(ObjectParts to, int part) =>
            to.WritePartAsync(part, sizes[..part].Sum(), content.AsMemory(sizes[..part].Sum(), sizes[part]), Token);
    }

    [Fact]
    public async Task An_abandoned_resumable_object_leaves_nothing_and_cannot_resume()
    {
        await using var open = await OpenAsync();
        await using var parts = await ObjectParts.BeginAsync(open.Store, Key, "upload-1", resumable: true);
        await parts.WritePartAsync(0, new byte[open.Store.PartSize], Token);
        await parts.DisposeAsync();
        Assert.Equal(1, await open.CountUnfinishedAsync());

        await open.Store.AbandonAsync(Key, parts.Writer.Token, Token);
        await open.Store.AbandonAsync(Key, parts.Writer.Token, Token);

        Assert.Equal(0, await open.CountUnfinishedAsync());
        await AssertFaultAsync(StorageFault.Missing, async () =>
        {
            await using var again = parts.ReopenBy(open.Store, Key, "upload-1");
            await again.WritePartAsync(0, new byte[open.Store.PartSize], Token);
        });
    }

    [Fact]
    public async Task A_deleted_object_is_absent_and_may_be_deleted_again()
    {
        await using var open = await OpenAsync();
        await open.Store.PutNewAsync(Key, new byte[10], "upload-1", ObjectKind.Stream, Token);

        await open.Store.DeleteAsync(Key, Token);
        await open.Store.DeleteAsync(Key, Token);
        await open.Store.DeleteAsync("never/there", Token);

        Assert.Null(await open.Store.FindAsync(Key, Token));
        Assert.Empty(await ListAsync(open.Store, ""));
        await AssertFaultAsync(StorageFault.Missing, () => ReadAsync(open.Store, Key, 0, 1));
        await open.Store.PutNewAsync(Key, new byte[11], "upload-2", ObjectKind.Stream, Token);
        Assert.Equal(11, (await open.Store.FindAsync(Key, Token))!.Size);
    }

    [Fact]
    public async Task Keys_with_all_kinds_of_characters_are_kept_and_listed_in_order()
    {
        await using var open = await OpenAsync();
        string[] keys =
        [
            "a.manifest.json",
            "a/b:c~2 d+e_f.g-h=i.zfs.gz",
            "b/100%/%41&x='y'(z)",
            "b/a,b;c@d!e$f",
            "c/ünï/日本語",
            "d",
        ];
        for (var index = 0; index < keys.Length; index++)
            await open.Store.PutNewAsync(keys[index], new byte[index + 1], "upload-1", ObjectKind.Stream, Token);

        Assert.Equal(keys.Select((key, index) => new ListedObject(key, index + 1)), await ListAsync(open.Store, ""));
        Assert.Equal(
            ["a.manifest.json", "a/b:c~2 d+e_f.g-h=i.zfs.gz"],
            (await ListAsync(open.Store, "a")).Select(found => found.Key)
        );
        Assert.Equal(["b/100%/%41&x='y'(z)"], (await ListAsync(open.Store, "b/1")).Select(found => found.Key));
        Assert.Empty(await ListAsync(open.Store, "e"));
        foreach (var key in keys)
        {
            var size = (await open.Store.FindAsync(key, Token))!.Size;
            Assert.Equal(size, (await ReadAsync(open.Store, key, 0, (int)size)).Length);
            await open.Store.DeleteAsync(key, Token);
        }

        Assert.Empty(await ListAsync(open.Store, ""));
        // Of an empty store.
        Assert.Equal(0, await open.Store.RemoveIncompleteAsync(DateTimeOffset.MaxValue, Nothing, Token));
    }

    [Fact]
    public async Task Abandoned_objects_are_removed_unless_they_are_recent_or_another_program_s()
    {
        await using var open = await OpenAsync();
        var another = await open.OpenAgainAsync();
        await using var abandoned = await ObjectParts.BeginAsync(another, Key, Guid.NewGuid().ToString("N"));
        await abandoned.WritePartAsync(0, new byte[open.Store.PartSize], Token);
        await using var empty = await ObjectParts.BeginAsync(another, Key + ".empty", Guid.NewGuid().ToString("N"));
        await open.BeginForeignAsync();

        Assert.Equal(
            0,
            await open.Store.RemoveIncompleteAsync(
                TimeProvider.System.GetUtcNow() - TimeSpan.FromHours(1),
                Nothing,
                Token
            )
        );
        Assert.Equal(3, await open.CountUnfinishedAsync());
        Assert.Equal(2, await open.Store.RemoveIncompleteAsync(DateTimeOffset.MaxValue, Nothing, Token));
        Assert.Equal(1, await open.CountUnfinishedAsync());
    }

    [Fact]
    public async Task A_backup_of_any_length_reads_back_as_it_was_written()
    {
        await using var open = await OpenAsync();
        var size = open.Store.PartSize;
        foreach (var length in (int[])[1, size - 1, size, size + 1, size * 2, size * 3 + 17])
        {
            var content = Noise(length, length);
            var (store, buffers) = (new WatchedStore(open.Store), new PartBuffers(size, 3));
            var written = await WriteAsync(store, buffers, $"{Key}-{length}", content);

            AssertDescribes(written, content, size, store.MaxParts);
            await using (var stream = new BackupStream(store, buffers, written.Layout))
                AssertSame(content, await ReadAllAsync(stream), $"{length} bytes");
            Assert.InRange(store.Buffers, 1, 3);
            AssertAllReturned(buffers);
        }
    }

    /// <summary>As the manifest of very many parts.</summary>
    [Fact]
    public async Task An_object_that_grows_is_stored_whole_whatever_its_size()
    {
        await using var open = await OpenAsync();
        var size = open.Store.PartSize;
        foreach (var length in (int[])[1, size, size + 1, size * 2, size * 2 + 5])
        {
            var (key, content) = ($"{Key}-{length}.manifest.json", Noise(length, length));
            await using (var written = new GrowingObject(open.Store, key, "upload-1", ObjectKind.Manifest))
            {
                for (var offset = 0; offset < length; offset += 700_001)
                    await written.WriteAsync(content.AsMemory(offset, Math.Min(700_001, length - offset)), Token);
                await written.CompleteAsync(Token);
            }

            await using var read = new ObjectStream(open.Store, key, length);
            var all = new MemoryStream();
            await read.CopyToAsync(all, Token);
            AssertSame(content, all.ToArray(), $"{length} bytes");
            read.Position = length - 1;
            var last = new byte[2];
            Assert.Equal(1, await read.ReadAsync(last, Token));
            Assert.Equal(content[^1], last[0]);
        }

        await using (var left = new GrowingObject(open.Store, $"{Key}.manifest.json", "upload-2", ObjectKind.Manifest))
            await left.WriteAsync(new byte[size * 2], Token);
        Assert.Null(await open.Store.FindAsync($"{Key}.manifest.json", Token));
        Assert.Equal(0, await open.CountUnfinishedAsync());
    }

    [Fact]
    public async Task A_backup_is_read_from_any_position()
    {
        await using var open = await OpenAsync();
        var size = open.Store.PartSize;
        var content = Noise(size * 3 + 17, 5);
        var buffers = new PartBuffers(size, 3);
        await using (
            var stream = new BackupStream(
                open.Store,
                buffers,
                (await WriteAsync(open.Store, buffers, Key, content)).Layout
            )
        )
        {
            Assert.Equal(content.Length, stream.Length);
            foreach (
                var position in (int[])
                    [content.Length - 1, 0, size, size - 1, size * 3, 1, size * 2 + 5, content.Length]
            )
            {
                stream.Position = position;
                var some = new byte[Math.Min(size + 100, content.Length - position)];
                await stream.ReadExactlyAsync(some, Token);
                AssertSame(content.AsMemory(position, some.Length), some, $"from {position}");
            }

            Assert.Equal(0, await stream.ReadAsync(new byte[1], Token));
            stream.Seek(-17, SeekOrigin.End);
            AssertSame(content.AsMemory(content.Length - 17), await ReadAllAsync(stream), "the last 17 bytes");
        }

        AssertAllReturned(buffers);
    }

    [Fact]
    public async Task A_changed_byte_is_named_by_object_and_range_and_none_of_its_part_is_returned()
    {
        await using var open = await OpenAsync();
        var size = open.Store.PartSize;
        var content = Noise(size * 2 + 100, 6);
        var buffers = new PartBuffers(size, 3);
        var written = await WriteAsync(open.Store, buffers, Key, content);
        await open.ChangeByteAsync(Key, size + 1000);

        await using (var stream = new BackupStream(open.Store, buffers, written.Layout))
        {
            var first = new byte[size];
            await stream.ReadExactlyAsync(first, Token);
            AssertSame(content.AsMemory(0, size), first, "the part before it");
            var fault = await AssertFaultAsync(StorageFault.Damaged, () =>
                stream.ReadAsync(new byte[1], Token).AsTask()
            );
            Assert.Contains(
                $"The bytes {size} to {size * 2 - 1} of {Key} are not those that were stored",
                fault.Message,
                StringComparison.Ordinal
            );
            stream.Position = size * 2;
            AssertSame(content.AsMemory(size * 2), await ReadAllAsync(stream), "the part after it");
        }

        AssertAllReturned(buffers);
    }

    [Fact]
    public async Task Concurrent_backups_share_the_buffers()
    {
        await using var open = await OpenAsync();
        var (store, size) = (new WatchedStore(open.Store), open.Store.PartSize);
        const int limit = 2;
        var buffers = new PartBuffers(size, limit);
        var contents = Enumerable.Range(0, 3).Select(number => Noise(size * 3 + number, number)).ToList();
        var most = limit + contents.Count - 1;

        var written = await Task.WhenAll(
            contents.Select((content, number) => WriteAsync(store, buffers, $"{Key}-{number}", content))
        );
        Assert.InRange(store.MostAtOnce, 1, most);
        Assert.InRange(store.Buffers, 1, most);
        AssertAllReturned(buffers);

        await Task.WhenAll(
            contents.Select(
                async (content, number) =>
                {
                    await using var stream = new BackupStream(store, buffers, written[number].Layout);
                    AssertSame(content, await ReadAllAsync(stream), $"backup {number}");
                }
            )
        );
        Assert.InRange(store.MostAtOnce, 1, most);
        AssertAllReturned(buffers);
        // A buffer that is not reused is garbage that stays in memory for a long time.
        Assert.InRange(store.Buffers, 1, most);
    }

    [Fact]
    public async Task An_abandoned_backup_leaves_nothing_in_the_store_nor_in_memory()
    {
        await using var open = await OpenAsync();
        var buffers = new PartBuffers(open.Store.PartSize, 2);
        await using (var writer = new BackupWriter(open.Store, buffers, Key, "upload-1"))
            await writer.WriteAsync(new byte[open.Store.PartSize * 2 + 5], Token);

        Assert.Empty(await ListAsync(open.Store, ""));
        Assert.Equal(0, await open.CountUnfinishedAsync());
        AssertAllReturned(buffers);
    }

    private protected static byte[] Noise(int size, int seed)
    {
        var content = new byte[size];
        new Random(seed).NextBytes(content);
        return content;
    }

    private protected static async Task<WrittenBackup> WriteAsync(
        IObjectStore store,
        PartBuffers buffers,
        string key,
        byte[] content
    )
    {
        await using var writer = new BackupWriter(
            store,
            buffers,
            key,
            $"upload-{Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(key)))[..12]}"
        );
        for (var offset = 0; offset < content.Length; offset += 1_000_003)
            await writer.WriteAsync(content.AsMemory(offset, Math.Min(1_000_003, content.Length - offset)), Token);
        await writer.FinishAsync(Token);
        await writer.CompleteAsync(Token);
        return new WrittenBackup(writer.Objects, writer.Parts);
    }

    /// <summary>Parts are as large as may be, the digests are those of the content, and the keys count up.</summary>
    private protected static void AssertDescribes(WrittenBackup written, byte[] content, int partSize, int maxParts)
    {
        var (objects, parts) = written;
        Assert.Equal(content.Chunk(partSize).Select(part => part.Length), parts.Select(part => part.Size));
        Assert.Equal(
            content.Chunk(partSize).Select(part => Convert.ToHexStringLower(SHA256.HashData(part))),
            parts.Select(part => part.Sha256!)
        );
        Assert.All(objects.SkipLast(1), stored => Assert.Equal((long)maxParts * partSize, stored.Size));
        Assert.Equal(
            objects.Select((_, index) => index == 0 ? objects[0].Key : $"{objects[0].Key}.{index + 1:0000}"),
            objects.Select(stored => stored.Key)
        );
        Assert.Equal(content.Length, objects.Sum(stored => stored.Size));
    }

    private protected sealed record WrittenBackup(IReadOnlyList<StoredObject> Objects, IReadOnlyList<StoredPart> Parts)
    {
        public BackupLayout Layout => BackupLayout.Of(Objects, Parts);
    }

    private protected static async Task<byte[]> ReadAllAsync(BackupStream stream)
    {
        using var all = new MemoryStream();
        await stream.CopyToAsync(all, Token);
        return all.ToArray();
    }

    private protected static async Task<byte[]> ReadAsync(IObjectStore store, string key, long offset, int length)
    {
        var content = new byte[length];
        await store.ReadAsync(key, offset, content, Token);
        return content;
    }

    private protected static async Task<IReadOnlyList<ListedObject>> ListAsync(IObjectStore store, string prefix)
    {
        List<ListedObject> all = [];
        await foreach (var found in store.ListAsync(prefix, Token))
            all.Add(found);
        return all;
    }

    private protected static async Task<StorageException> AssertFaultAsync(StorageFault fault, Func<Task> act)
    {
        var e = await Assert.ThrowsAsync<StorageException>(act);
        Assert.True(e.Fault == fault, $"expected {fault}, got {e.Fault}: {e.Message}");
        return e;
    }

    /// <summary>Reports where they differ, not their contents.</summary>
    private protected static void AssertSame(ReadOnlyMemory<byte> expected, ReadOnlyMemory<byte> actual, string what) =>
        Assert.True(
            expected.Span.SequenceEqual(actual.Span),
            $"{what}: {actual.Length} bytes came for {expected.Length}; they are alike up to "
                + $"{expected.Span.CommonPrefixLength(actual.Span)}"
        );

    /// <summary>A share gets all buffers, which is possible only if no other holds one.</summary>
    private protected static void AssertAllReturned(PartBuffers buffers)
    {
        using var share = buffers.Open();
        var taken = Enumerable.Range(0, buffers.Limit).Select(_ => share.TryRent(1)).ToList();
        Assert.DoesNotContain(null, taken);
        Assert.Null(share.TryRent(1));
        foreach (var buffer in taken)
            share.Return(buffer!);
    }
}
