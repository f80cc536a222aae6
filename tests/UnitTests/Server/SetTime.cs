namespace ZfsSnapshotManager.UnitTests.Server;

/// <summary>A clock that stands still until it is advanced; timers are the system's.</summary>
internal sealed class SetTime(DateTimeOffset start) : TimeProvider
{
    private long _ticks;
    private long _jump;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public override DateTimeOffset GetUtcNow() => start.AddTicks(GetTimestamp() + Interlocked.Read(ref _jump));

    /// <summary>Sets the clock; no time passes.</summary>
    public void Jump(TimeSpan time) => Interlocked.Add(ref _jump, time.Ticks);

    public void Advance(TimeSpan time) => Interlocked.Add(ref _ticks, time.Ticks);
}
