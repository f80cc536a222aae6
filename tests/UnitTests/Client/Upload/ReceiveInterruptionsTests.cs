using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.UnitTests.Client.Upload;

public sealed class ReceiveInterruptionsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    [Fact]
    public void An_upload_is_retried_as_long_as_it_advances()
    {
        var time = new ManualTime();
        var interruptions = new ReceiveInterruptions(Patience, time);
        for (var bytes = 0L; bytes < 5; bytes++)
        {
            Assert.True(interruptions.MayRetry(At(bytes)));
            time.Advance(TimeSpan.FromMinutes(9));
        }
    }

    [Fact]
    public void An_upload_that_does_not_advance_ends_after_the_retry_time()
    {
        var time = new ManualTime();
        var interruptions = new ReceiveInterruptions(Patience, time);

        Assert.True(interruptions.MayRetry(At(7)));
        time.Advance(TimeSpan.FromMinutes(9));
        Assert.True(interruptions.MayRetry(At(7)));
        time.Advance(TimeSpan.FromMinutes(2));
        Assert.False(interruptions.MayRetry(At(5)));
    }

    [Fact]
    public void Without_a_retry_time_it_does_not_resume() =>
        Assert.False(new ReceiveInterruptions(TimeSpan.Zero, new ManualTime()).MayRetry(null));

    private static UploadResume At(long bytes) =>
        new()
        {
            NextPart = 1,
            StoredBytes = 0,
            StreamBytes = bytes,
            State = "",
        };
}
