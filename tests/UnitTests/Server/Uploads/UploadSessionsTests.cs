using ZfsSnapshotManager.Server.Uploads;

namespace ZfsSnapshotManager.UnitTests.Server.Uploads;

public sealed class UploadSessionsTests
{
    private readonly UploadSessions _sessions = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_transfer_that_only_uses_unused_buffers_delays_no_other()
    {
        using (var part = await _sessions.TakeOverPartAsync("one", 3, Token))
        {
            Assert.Null(_sessions.TryBegin("one"));
            Assert.False(part.Token.IsCancellationRequested);
            using var other = _sessions.TryBegin("two");
            Assert.NotNull(other);
        }

        using var free = _sessions.TryBegin("one");
        Assert.NotNull(free);
    }

    [Fact]
    public async Task A_takeover_waits_for_transfers_that_used_unused_buffers()
    {
        var first = _sessions.TryBegin("one")!;
        var next = _sessions.TakeOverAsync("one", Token);
        Assert.False(next.IsCompleted);

        first.Dispose();

        using var session = await next;
        Assert.True(_sessions.IsActive("one"));
    }
}
