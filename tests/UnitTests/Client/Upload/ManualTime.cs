namespace ZfsSnapshotManager.UnitTests.Client.Upload;

/// <summary>A clock that stands still until it is advanced, or that jumps to the end of every wait.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly Lock _lock = new();
    private TimeSpan _now;

    public TimeSpan Now
    {
        get
        {
            lock (_lock)
                return _now;
        }
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Now.Ticks;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch + Now;

    public void Advance(TimeSpan time)
    {
        lock (_lock)
            _now += time;
    }

    /// <summary>Waits end immediately, and the clock advances by their duration.</summary>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime != Timeout.InfiniteTimeSpan)
        {
            Advance(dueTime);
            ThreadPool.QueueUserWorkItem(_ => callback(state));
        }

        return new Elapsed();
    }

    private sealed class Elapsed : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose()
        {
            // Nothing runs.
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
