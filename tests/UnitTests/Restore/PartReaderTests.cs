using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.UnitTests.Restore;

/// <summary>Parts fetched several at once, from a source that is slow, breaks, or returns wrong bytes.</summary>
public sealed class PartReaderTests
{
    private const int Mebibyte = 1024 * 1024;

    private static readonly int[] Sizes =
    [
        2 * Mebibyte,
        100,
        (3 * Mebibyte) + 17,
        1,
        Mebibyte,
        Mebibyte + 1,
        700_000,
        2 * Mebibyte,
        31,
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1, 4)]
    [InlineData(4, 4)]
    [InlineData(4, 8)]
    [InlineData(16, 64)]
    public async Task All_bytes_come_in_order_in_whatever_order_parts_arrive(int parallelParts, int pages)
    {
        var random = new Random(parallelParts);
        var source = new FaultySource(1, Sizes);
        source.BeforeAnswer = async (_, token) =>
        {
            int pause;
            lock (random)
                pause = random.Next(20);
            await Task.Delay(pause, token);
        };

        Assert.Equal(source.Bytes, await ReadAsync(source, parallelParts, pages));
        Assert.InRange(source.MostOpen, 1, parallelParts);
        Assert.Equal(source.Parts.Count, source.Requests.Count);
    }

    [Fact]
    public async Task Several_parts_are_fetched_at_once()
    {
        var source = new FaultySource(1, Sizes) { BeforeAnswer = (_, token) => Task.Delay(50, token) };

        _ = await ReadAsync(source, parallelParts: 4, pages: 64);

        Assert.Equal(4, source.MostOpen);
    }

    [Fact]
    public async Task Memory_is_bounded_and_a_part_larger_than_it_still_has_room()
    {
        var source = new FaultySource(1, Sizes);
        using var pool = new PagePool(2 * Mebibyte);
        await using (var reader = Reader(source, parallelParts: 4, pool))
            Assert.Equal(source.Bytes, await ReadAllAsync(reader));

        Assert.Equal(4, pool.Pages); // of the part of somewhat more than 3 MiB
        await AssertAllPagesAreBackAsync(pool);
    }

    [Fact]
    public async Task No_byte_of_a_part_is_returned_before_all_of_it_has_arrived()
    {
        var release = new TaskCompletionSource();
        var source = new FaultySource(1, Mebibyte, Mebibyte)
        {
            BreaksAfter = offset => offset == 0 ? Mebibyte - 1 : null,
        };
        source.BeforeAnswer = (offset, token) =>
            offset == Mebibyte - 1 ? release.Task.WaitAsync(token) : Task.CompletedTask;
        using var pool = new PagePool(8 * Mebibyte);
        await using var reader = Reader(source, parallelParts: 2, pool);

        var first = reader.ReadAsync(new byte[10], Token).AsTask();
        await Task.Delay(100, Token);
        Assert.False(first.IsCompleted);
        release.SetResult();
        Assert.Equal(10, await first);
    }

    [Fact]
    public async Task Bytes_that_arrived_before_a_connection_broke_are_not_fetched_again()
    {
        var random = new Random(3);
        var source = new FaultySource(2, Sizes);
        source.BreaksAfter = _ =>
        {
            lock (random)
                return random.Next(4) == 0 ? random.Next(0, 900_000) : null;
        };

        Assert.Equal(source.Bytes, await ReadAsync(source, parallelParts: 4, pages: 16));
        Assert.Equal(source.Bytes.Length, source.BytesGiven);
        Assert.True(source.Requests.Count > source.Parts.Count, "nothing broke");
    }

    [Fact]
    public async Task A_part_that_arrives_damaged_once_is_fetched_again()
    {
        var seen = 0;
        var source = new FaultySource(1, Sizes);
        source.Spoils = offset => offset == source.Parts[2].Offset && Interlocked.Increment(ref seen) == 1;
        var progress = 0L;

        Assert.Equal(
            source.Bytes,
            await ReadAsync(source, parallelParts: 4, pages: 16, count => Interlocked.Add(ref progress, count))
        );
        Assert.Equal(source.Parts.Count + 1, source.Requests.Count);
        Assert.Equal(source.Bytes.Length, progress);
    }

    [Fact]
    public async Task A_part_that_arrives_damaged_twice_is_named_and_none_of_it_is_returned()
    {
        var source = new FaultySource(1, Sizes);
        var wrong = source.Parts[4];
        source.Spoils = offset => offset == wrong.Offset;
        using var pool = new PagePool(16 * Mebibyte);
        var given = new MemoryStream();
        await using (var reader = Reader(source, parallelParts: 4, pool))
        {
            var failure = await Assert.ThrowsAsync<OperationException>(() => reader.CopyToAsync(given, Token));
            Assert.Equal(ExitCode.Damaged, failure.ExitCode);
            Assert.StartsWith(
                $"The bytes {wrong.KeyOffset} to {wrong.KeyOffset + wrong.Size - 1} of c/object.0002 are not those "
                    + "that were stored",
                failure.Message,
                StringComparison.Ordinal
            );
            _ = await Assert.ThrowsAsync<OperationException>(() => reader.ReadAsync(new byte[10], Token).AsTask());
        }

        Assert.Equal(source.Bytes[..(int)wrong.Offset], given.ToArray());
        await AssertAllPagesAreBackAsync(pool);
    }

    [Fact]
    public async Task Permanent_failures_are_not_retried()
    {
        var source = new FaultySource(1, Sizes)
        {
            BeforeAnswer = (_, _) =>
                throw new ApiException(
                    ExitCode.NotFound,
                    System.Net.HttpStatusCode.NotFound,
                    "not_found",
                    "gone",
                    null
                ),
        };

        var failure = await Assert.ThrowsAsync<ApiException>(() => ReadAsync(source, parallelParts: 1, pages: 16));

        Assert.Equal("gone", failure.Message);
        Assert.Single(source.Requests);
    }

    [Fact]
    public async Task Without_a_retry_time_nothing_is_retried()
    {
        var source = new FaultySource(1, Sizes) { BeforeAnswer = (_, _) => throw FaultySource.Broken() };
        using var pool = new PagePool(16 * Mebibyte);
        await using var reader = new PartReader(
            new PartFetch(source.OpenAsync, new RetryPolicy(TimeSpan.Zero, TimeProvider.System, _ => { }), _ => { }),
            pool,
            1,
            source.Parts,
            source.Parts.Max(part => part.Size)
        );

        _ = await Assert.ThrowsAsync<OperationException>(() => ReadAllAsync(reader));

        Assert.Single(source.Requests);
    }

    [Fact]
    public async Task A_disposed_reader_ends_its_requests_and_releases_its_memory()
    {
        var source = new FaultySource(1, Sizes)
        {
            BeforeAnswer = (offset, token) => offset == 0 ? Task.CompletedTask : Task.Delay(Timeout.Infinite, token),
        };
        using var pool = new PagePool(4 * Mebibyte);
        var reader = Reader(source, parallelParts: 4, pool);
        Assert.NotEqual(0, await reader.ReadAsync(new byte[10], Token));
        using var impatient = new CancellationTokenSource(50);
        _ = await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            reader.CopyToAsync(Stream.Null, impatient.Token)
        );

        await reader.DisposeAsync();

        await AssertAllPagesAreBackAsync(pool);
    }

    private static async Task<byte[]> ReadAsync(
        FaultySource source,
        int parallelParts,
        int pages,
        Action<long>? progress = null
    )
    {
        using var pool = new PagePool((long)pages * Mebibyte);
        byte[] bytes;
        await using (var reader = Reader(source, parallelParts, pool, progress))
            bytes = await ReadAllAsync(reader);
        await AssertAllPagesAreBackAsync(pool);
        return bytes;
    }

    private static PartReader Reader(
        FaultySource source,
        int parallelParts,
        PagePool pool,
        Action<long>? progress = null
    ) =>
        new(
            new PartFetch(
                source.OpenAsync,
                new RetryPolicy(TimeSpan.FromSeconds(20), TimeProvider.System, _ => { }),
                progress ?? (_ => { })
            ),
            pool,
            parallelParts,
            source.Parts,
            source.Parts.Max(part => part.Size)
        );

    private static async Task<byte[]> ReadAllAsync(Stream reader)
    {
        using var bytes = new MemoryStream();
        await reader.CopyToAsync(bytes, 300_000, Token);
        return bytes.ToArray();
    }

    private static async Task AssertAllPagesAreBackAsync(PagePool pool)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        var pages = new HashSet<byte[]>();
        for (var index = 0; index < pool.Pages; index++)
            Assert.True(pages.Add(await pool.RentAsync(patience.Token)));
    }
}
