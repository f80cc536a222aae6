using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.UnitTests.Server.Storage;

public sealed class PartBuffersTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_transfer_gets_its_first_buffer_after_a_moment_whatever_others_hold()
    {
        var buffers = new PartBuffers(partSize: 10, limit: 3);
        using var old = buffers.Open();
        var olds = Enumerable.Range(0, 3).Select(_ => old.TryRent(1)!).ToList();
        Assert.DoesNotContain(null, olds);
        Assert.Null(old.TryRent(1));

        using var next = buffers.Open();
        var first = await next.RentAsync(1, Token);
        Assert.Null(next.TryRent(1));

        next.Return(first);
        olds.ForEach(old.Return);
    }

    [Fact]
    public void A_transfer_waits_for_no_other_that_has_one_buffer_itself()
    {
        var buffers = new PartBuffers(partSize: 10, limit: 2);
        var olds = Enumerable.Range(0, 3).Select(_ => buffers.Open()).ToList();

        var firsts = olds.Select(old => old.TryRent(1)!).ToList();

        Assert.DoesNotContain(null, firsts);
        Assert.All(olds, old => Assert.Null(old.TryRent(1)));
        for (var i = 0; i < olds.Count; i++)
        {
            olds[i].Return(firsts[i]);
            olds[i].Dispose();
        }
    }

    [Fact]
    public async Task A_buffer_that_is_returned_goes_to_a_transfer_that_has_none()
    {
        var buffers = new PartBuffers(partSize: 10, limit: 2);
        using var old = buffers.Open();
        var olds = Enumerable.Range(0, 2).Select(_ => old.TryRent(1)!).ToList();
        using var next = buffers.Open();

        var first = next.RentAsync(1, Token).AsTask();
        old.Return(olds[0]);
        Assert.Null(old.TryRent(1)); // room for the newcomer only

        next.Return(await first);
        old.Return(olds[1]);
    }

    [Fact]
    public async Task A_further_buffer_is_awaited_until_there_is_room()
    {
        var buffers = new PartBuffers(partSize: 10, limit: 2);
        using var stranger = buffers.Open();
        var held = stranger.TryRent(1)!;
        using var share = buffers.Open();
        var first = share.TryRent(1)!;

        var second = share.RentAsync(1, Token).AsTask();
        Assert.False(second.IsCompleted);
        stranger.Return(held);

        share.Return(await second);
        share.Return(first);
    }

    [Fact]
    public void Buffers_are_used_again_and_dropped_once_they_were_not_needed_for_a_while()
    {
        var buffers = new PartBuffers(partSize: 10, limit: 2);
        using var first = buffers.Open();
        using var second = buffers.Open();
        HashSet<byte[]> seen = [];
        for (var round = 0; round < 3; round++)
        {
            var (ofFirst, ofSecond) = (first.TryRent(1)!, second.TryRent(1)!);
            seen.UnionWith([ofFirst, ofSecond]);
            first.Return(ofFirst);
            second.Return(ofSecond);
        }

        Assert.Equal(2, seen.Count);
        Assert.Equal(0, buffers.Trim()); // both were in use since the last time
        var size = seen.First().Length;
        first.Return(first.TryRent(1)!);
        Assert.Equal(size, buffers.Trim()); // one was enough
        Assert.Equal(size, buffers.Trim());
        Assert.Equal(0, buffers.Trim());
    }
}
