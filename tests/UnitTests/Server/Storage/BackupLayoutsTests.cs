using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.UnitTests.Server.Storage;

public sealed class BackupLayoutsTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static readonly DateTimeOffset Time = new(2024, 2, 13, 14, 30, 0, TimeSpan.Zero);

    [Fact]
    public void Every_part_is_where_the_manifest_says()
    {
        byte[] content = [.. Enumerable.Range(0, 60).Select(number => (byte)number)];
        (string Key, byte[] Content)[] objects =
        [
            ("a", content[..25]),
            ("a.0002", content[25..55]),
            ("a.0003", content[55..]),
        ];

        var layout = BackupLayout.Of(
            objects.Select(stored => new StoredObject { Key = stored.Key, Size = stored.Content.Length }),
            objects.SelectMany(stored => stored.Content.Chunk(10)).Select(part => StoredPart.Of(part))
        );

        Assert.Equal((60, 7), (layout.Length, layout.PartCount));
        Assert.Equal([("a", 25L), ("a.0002", 30L), ("a.0003", 5L)], layout.Objects);
        for (var position = 0; position < content.Length; position++)
        {
            var index = layout.IndexOf(position);
            var place = layout.PartAt(index);
            Assert.True(place.Holds(position), $"{position} is not in {place}");
            var part = content.AsSpan((int)place.Start, place.Size).ToArray();
            Assert.Null(layout.FindDifference(index, part));
            part[^1] ^= 1;
            Assert.NotNull(layout.FindDifference(index, part));
        }

        Assert.Equal(new PartLocation("a.0002", 20, 45, 10), layout.PartAt(5));
    }

    [Fact]
    public void A_layout_of_many_parts_finds_each()
    {
        var layout = LayoutOf(5000);

        foreach (var index in (int[])[0, 1, 1023, 1024, 1025, 2047, 2048, 4999])
        {
            Assert.Equal(index, layout.IndexOf(index));
            Assert.Equal(new PartLocation("key", index, index, 1), layout.PartAt(index));
        }

        Assert.Equal(4999, layout.IndexOf(4999));
    }

    [Fact]
    public void Parts_without_digests_are_not_compared()
    {
        var layout = BackupLayout.Of(
            [new StoredObject { Key = "a", Size = 1 }],
            [new StoredPart { Size = 1, Sha256 = null }]
        );

        Assert.Null(layout.FindDifference(0, [7]));
    }

    [Fact]
    public async Task A_layout_is_found_only_for_exactly_the_same_backup()
    {
        var layouts = new BackupLayouts();
        var (backup, layout) = (BackupOf("a"), LayoutOf(1));
        await AddAsync(layouts, backup, layout);

        Assert.Same(layout, layouts.Find(BackupOf("a")));
        Assert.Null(layouts.Find(BackupOf("b")));
        Assert.Null(layouts.Find(backup with { PartsSha256 = "other" }));
        Assert.Null(layouts.Find(backup with { ReceivedAt = Time.AddMilliseconds(1) }));
        layouts.Remove(backup);
        Assert.Null(layouts.Find(backup));
    }

    /// <summary>A layout takes 40 bytes a part, so 64 MiB hold 1.6 million parts.</summary>
    [Fact]
    public async Task The_least_recently_read_are_dropped_first_and_the_newest_never()
    {
        var layouts = new BackupLayouts();
        var large = LayoutOf(500_000);
        foreach (var name in (string[])["a", "b", "c"])
            await AddAsync(layouts, BackupOf(name), large);
        Assert.NotNull(layouts.Find(BackupOf("a")));

        await AddAsync(layouts, BackupOf("d"), large);

        Assert.NotNull(layouts.Find(BackupOf("a")));
        Assert.Null(layouts.Find(BackupOf("b")));
        Assert.NotNull(layouts.Find(BackupOf("c")));

        await AddAsync(layouts, BackupOf("huge"), LayoutOf(1_700_000));
        Assert.NotNull(layouts.Find(BackupOf("huge")));
        Assert.All((string[])["a", "c", "d"], name => Assert.Null(layouts.Find(BackupOf(name))));
    }

    [Fact]
    public async Task Two_restores_at_once_of_backups_of_a_terabyte_read_each_manifest_once()
    {
        var layouts = new BackupLayouts();
        var terabyte = LayoutOf(131_072); // in parts of 8 MiB
        var reads = 0;
        for (var range = 0; range < 10; range++)
        {
            foreach (var name in (string[])["a", "b"])
                await layouts.GetAsync(BackupOf(name), ReadAsync, Token);
        }

        Assert.Equal(2, reads);

        Task<BackupLayout?> ReadAsync(CancellationToken stop)
        {
            reads++;
            return Task.FromResult<BackupLayout?>(terabyte);
        }
    }

    [Fact]
    public async Task Requests_that_wait_for_the_same_layout_share_one_reading()
    {
        var layouts = new BackupLayouts();
        var (layout, reads, gate) = (LayoutOf(1), 0, new TaskCompletionSource());
        using var impatient = new CancellationTokenSource();
        var first = layouts.GetAsync(BackupOf("a"), ReadAsync, impatient.Token);
        var others = Enumerable.Range(0, 10).Select(_ => layouts.GetAsync(BackupOf("a"), ReadAsync, Token)).ToList();

        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        gate.SetResult();

        Assert.All(await Task.WhenAll(others), found => Assert.Same(layout, found));
        Assert.Equal(1, reads);

        async Task<BackupLayout?> ReadAsync(CancellationToken stop)
        {
            Interlocked.Increment(ref reads);
            await gate.Task.WaitAsync(stop);
            return layout;
        }
    }

    [Fact]
    public async Task A_reading_for_which_nobody_waits_ends_and_a_failed_one_is_tried_again()
    {
        var layouts = new BackupLayouts();
        using var impatient = new CancellationTokenSource();
        var begun = new TaskCompletionSource();
        var ended = new TaskCompletionSource();
        var only = layouts.GetAsync(
            BackupOf("a"),
            async stop =>
            {
                begun.SetResult();
                await using var end = stop.Register(ended.SetResult);
                await Task.Delay(Timeout.Infinite, stop);
                return null;
            },
            impatient.Token
        );
        await begun.Task.WaitAsync(Token);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => only);
        await ended.Task.WaitAsync(Token);

        await Assert.ThrowsAsync<StorageException>(() =>
            layouts.GetAsync(BackupOf("a"), _ => throw new StorageException(StorageFault.Missing, "it is gone"), Token)
        );
        Assert.Null(await layouts.GetAsync(BackupOf("a"), _ => Task.FromResult<BackupLayout?>(null), Token));
        Assert.NotNull(await layouts.GetAsync(BackupOf("a"), _ => Task.FromResult<BackupLayout?>(LayoutOf(1)), Token));
    }

    [Fact]
    public void Parts_that_do_not_add_up_to_their_object_are_never_read()
    {
        var part = new StoredPart { Size = 1, Sha256 = new string('0', 64) };
        Assert.Throws<InvariantException>(() =>
            BackupLayout.Of([new StoredObject { Key = "key", Size = 3 }], [part, part])
        );
    }

    private static async Task AddAsync(BackupLayouts layouts, SnapshotInfo backup, BackupLayout layout) =>
        Assert.Same(layout, await layouts.GetAsync(backup, _ => Task.FromResult<BackupLayout?>(layout), Token));

    private static BackupLayout LayoutOf(int parts) =>
        BackupLayout.Of(
            [new StoredObject { Key = "key", Size = parts }],
            Enumerable.Repeat(new StoredPart { Size = 1, Sha256 = new string('0', 64) }, parts)
        );

    private static SnapshotInfo BackupOf(string name) =>
        new()
        {
            SnapshotId = name,
            StorageKey = $"{name}.zfs",
            DatasetName = "tank/data",
            SnapshotName = "tank/data@s",
            SnapshotGuid = new SnapshotGuid(1),
            FromGuid = null,
            DatasetType = "filesystem",
            Timestamp = Time,
            ReceivedAt = Time,
            SizeBytes = 1,
            StreamBytes = 1,
            Compression = "none",
            Raw = false,
            Features = [],
            SendFlags = [],
            Sha256 = "digest",
            PartsSha256 = "digest",
        };
}
