using ZfsSnapshotManager.Restore.RestoreChain;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.UnitTests.Restore;

/// <summary>How long a receive that ZFS refuses is tried again.</summary>
public sealed class ReceiveRetryTests
{
    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }

    [Fact]
    public void Without_progress_it_ends_after_some_seconds_and_progress_starts_them_anew()
    {
        var clock = new Clock();
        var retry = new ReceiveRetry(clock);

        Assert.True(retry.MayRetry(At(0, 5)));
        clock.Now += ReceiveRetry.Patience - TimeSpan.FromSeconds(1);
        Assert.True(retry.MayRetry(At(0, 5)));
        Assert.True(retry.MayRetry(At(0, 6)));
        clock.Now += ReceiveRetry.Patience - TimeSpan.FromSeconds(1);
        Assert.True(retry.MayRetry(At(1, 0)));
        clock.Now += ReceiveRetry.Patience;
        Assert.False(retry.MayRetry(At(1, 0)));
        Assert.False(retry.MayRetry(At(0, 9)));
    }

    private static RestorePlan At(int first, ulong bytes) =>
        new(
            first,
            new ResumeToken
            {
                SnapshotGuid = 1,
                Object = 1,
                Offset = 0,
                Bytes = bytes,
                FullSnapshotName = "a@b",
            }
        );
}
