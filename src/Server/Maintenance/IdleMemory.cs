using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>
/// Gives memory back to the system after a peak. Buffers and blocks are pinned and live long: the runtime would keep
/// them, and what else the peak needed, for as long as the server is not short of memory.
/// </summary>
internal sealed class IdleMemory(PartBuffers buffers, LargeBlockPools blocks, TimeProvider time) : BackgroundService
{
    /// <summary>Less is not worth a collection.</summary>
    private const long Worth = 24 * 1024 * 1024;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    /// <summary>Between collections that only the size of the process asks for: it may be in use.</summary>
    private static readonly TimeSpan BetweenAttempts = TimeSpan.FromMinutes(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var (small, tried, dropped) = (Environment.WorkingSet, time.GetTimestamp(), 0L);
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            dropped += buffers.Trim() + blocks.Trim();
            var isLarge = Environment.WorkingSet - small >= Worth && time.GetElapsedTime(tried) >= BetweenAttempts;
            if (dropped < Worth && !isLarge)
                continue;
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            (tried, dropped) = (time.GetTimestamp(), 0);
        }
    }
}
