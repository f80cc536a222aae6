namespace ZfsSnapshotManager.Server.Jobs;

/// <summary>
/// Tells all who wait that something has changed. Take <see cref="Next"/> before you look at the state, and wait for it
/// after: then no change in between is missed.
/// </summary>
internal sealed class Pulse
{
    private TaskCompletionSource _next = New();

    public Task Next => Volatile.Read(ref _next).Task;

    public void Signal() => Interlocked.Exchange(ref _next, New()).SetResult();

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>What happens to jobs, for those who wait for it in this process.</summary>
internal sealed class JobSignals
{
    /// <summary>A job was asked for.</summary>
    public Pulse Requested { get; } = new();

    /// <summary>A job has done a part of its work, has ended or has failed.</summary>
    public Pulse Progressed { get; } = new();
}
