using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.UnitTests.Server.Storage;

public sealed class PartBuffersTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>
    /// One upload uses all buffers; then three more begin. Each returns its buffer and acquires one again, as uploads
    /// do.
    /// </summary>
    [Fact]
    public async Task As_many_uploads_as_there_are_buffers_never_hold_more_than_those()
    {
        var buffers = new PartBuffers(partSize: 10, limit: 4, TimeProvider.System);
        using var old = buffers.Open();
        using var second = buffers.Open();
        using var third = buffers.Open();
        using var last = buffers.Open();

        var olds = (await old.RentAsync(1, Token), old.TryRent(1));
        Assert.Null(olds.Item2); // the three others have none yet
        var seconds = await second.RentAsync(1, Token);
        second.Return(seconds); // between two parts: its slot stays reserved
        var thirds = await third.RentAsync(1, Token);
        Assert.Null(third.TryRent(1));
        var lasts = await last.RentAsync(1, Token);
        Assert.Null(last.TryRent(1));
        seconds = await second.RentAsync(1, Token);

        Assert.Equal(4, new[] { olds.Item1, seconds, thirds, lasts }.Distinct().Count());
        old.Return(olds.Item1);
        second.Return(seconds);
        third.Return(thirds);
        last.Return(lasts);
    }

    /// <summary>Discarded buffers are large and stay in memory until the next collection.</summary>
    [Fact]
    public async Task As_many_buffers_are_kept_as_the_open_uploads_can_use()
    {
        var buffers = new PartBuffers(partSize: 10, limit: 1, TimeProvider.System);
        using var first = buffers.Open();
        using var second = buffers.Open();
        using var third = buffers.Open();
        PartBuffers.Share[] shares = [first, second, third];
        HashSet<byte[]> seen = [];
        for (var round = 0; round < 3; round++)
        {
            var taken = new List<byte[]>();
            foreach (var share in shares)
                taken.Add(await share.RentAsync(1, Token));
            seen.UnionWith(taken);
            foreach (var (share, buffer) in shares.Zip(taken))
                share.Return(buffer);
        }

        Assert.Equal(3, seen.Count);
    }

    [Fact]
    public async Task A_new_transfer_waits_for_extra_buffers_of_others_but_never_for_an_only_one()
    {
        var buffers = new PartBuffers(partSize: 10, limit: 3, TimeProvider.System);
        using var old = buffers.Open();
        var first = await old.RentAsync(1, Token);
        var (further, another) = (old.TryRent(1)!, old.TryRent(1)!);
        using var second = buffers.Open();
        using var third = buffers.Open();

        var seconds = second.RentAsync(1, Token).AsTask();
        Assert.False(seconds.IsCompleted);
        old.Return(another);
        var secondsBuffer = await seconds;
        second.Return(secondsBuffer); // and comes back for it

        var thirds = third.RentAsync(1, Token).AsTask();
        Assert.False(thirds.IsCompleted); // one is unused, and reserved for the second
        old.Return(further);
        var thirdsBuffer = await thirds;
        secondsBuffer = await second.RentAsync(1, Token);

        using var fourth = buffers.Open();
        var fourths = fourth.RentAsync(1, Token);
        Assert.True(fourths.IsCompleted); // no upload holds a second one: waiting would be useless
        var fourthsBuffer = await fourths;
        fourth.Return(fourthsBuffer);
        third.Return(thirdsBuffer);
        second.Return(secondsBuffer);
        old.Return(first);
    }
}
