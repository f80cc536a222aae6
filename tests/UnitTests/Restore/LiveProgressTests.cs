using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.UnitTests.Restore;

public sealed class LiveProgressTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private readonly SkippingTime _time = new();
    private long _shown;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_stream_that_always_breaks_at_the_same_place_is_given_up_despite_new_bytes()
    {
        var progress = Start();
        progress.Add(1000);

        await Assert.ThrowsAsync<OperationException>(async () =>
        {
            while (true)
                await BreakAsync(progress, goOnAt: 400, bytes: 600);
        });

        Assert.Equal(Patience, _time.Passed);
    }

    [Fact]
    public async Task A_stream_that_advances_each_time_is_never_given_up()
    {
        var progress = Start();
        progress.Add(1000);

        for (var round = 0; round < 2000; round++)
            await BreakAsync(progress, goOnAt: 400 + round, bytes: 601);

        Assert.True(_time.Passed > Patience);
    }

    [Fact]
    public async Task The_progress_counts_what_ZFS_has_and_what_arrived_after_it()
    {
        var progress = Start(300);

        progress.Add(700);
        Assert.Equal(1000, _shown);
        await BreakAsync(progress, goOnAt: 900, bytes: 50);
        Assert.Equal(950, _shown);
        await BreakAsync(progress, goOnAt: 0, bytes: 10);
        Assert.Equal(10, _shown);
    }

    private LiveProgress Start(long already = 0)
    {
        _shown = already;
        return new LiveProgress(new RetryPolicy(Patience, _time, _ => { }), bytes => _shown += bytes, already);
    }

    private static async Task BreakAsync(LiveProgress progress, long goOnAt, long bytes)
    {
        progress.RestartAt(goOnAt);
        await progress.WaitAsync(FaultySource.Broken(), Token);
        progress.Add(bytes);
    }
}
