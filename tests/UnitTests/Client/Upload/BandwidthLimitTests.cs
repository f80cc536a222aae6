using ZfsSnapshotManager.Client.Upload;

namespace ZfsSnapshotManager.UnitTests.Client.Upload;

public sealed class BandwidthLimitTests
{
    [Theory]
    [InlineData(10_000)]
    [InlineData(1_000_000)]
    [InlineData(250_000_000)]
    public async Task The_rate_holds_within_five_percent(long rate)
    {
        var time = new ManualTime();
        var limit = new BandwidthLimit(rate, time);
        long sent = 0;
        while (time.Now < TimeSpan.FromSeconds(5))
        {
            await limit.WaitAsync(limit.SliceSize, TestContext.Current.CancellationToken);
            sent += limit.SliceSize;
        }

        Assert.InRange(sent / time.Now.TotalSeconds, rate * 0.95, rate * 1.05);
    }

    [Fact]
    public async Task An_idle_time_allows_no_burst()
    {
        var time = new ManualTime();
        var limit = new BandwidthLimit(1_000_000, time);
        await limit.WaitAsync(limit.SliceSize, TestContext.Current.CancellationToken);
        time.Advance(TimeSpan.FromMinutes(10));

        var start = time.Now;
        for (long sent = 0; sent < 2_000_000; sent += limit.SliceSize)
            await limit.WaitAsync(limit.SliceSize, TestContext.Current.CancellationToken);

        Assert.InRange((time.Now - start).TotalSeconds, 1.85, 2.05);
    }

    [Fact]
    public async Task Lanes_share_the_rate()
    {
        var time = new ManualTime();
        var limit = new BandwidthLimit(1_000_000, time);
        var lanes = Enumerable.Range(0, 4).Select(_ => SendAsync()).ToList();

        await Task.WhenAll(lanes);

        // Waits of several lanes add up with this clock; no lane may have continued before its turn.
        Assert.True(time.Now >= TimeSpan.FromSeconds(3.8), $"{time.Now}");

        async Task SendAsync()
        {
            for (long sent = 0; sent < 1_000_000; sent += limit.SliceSize)
                await limit.WaitAsync(limit.SliceSize, TestContext.Current.CancellationToken);
        }
    }
}
