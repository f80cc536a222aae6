using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Whether a receive that ZFS refused is tried again. As long as it makes progress it is; without progress only for
/// some seconds: that is how long udev looks at a new device.
/// </summary>
/// <param name="time">The clock.</param>
internal sealed class ReceiveRetry(TimeProvider time)
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(0.5);

    private (int First, ulong Bytes) _reached = (-1, 0);
    private long _since;

    /// <param name="plan">Where it would continue.</param>
    public bool MayRetry(RestorePlan plan)
    {
        var reached = (plan.First, plan.Token?.Bytes ?? 0);
        if (reached.CompareTo(_reached) > 0)
            (_reached, _since) = (reached, time.GetTimestamp());
        return time.GetElapsedTime(_since) < Patience;
    }

    public Task WaitAsync(CancellationToken cancellationToken) => Task.Delay(Pause, time, cancellationToken);
}
