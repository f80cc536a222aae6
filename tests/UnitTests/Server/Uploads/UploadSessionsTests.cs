using ZfsSnapshotManager.Server.Uploads;

namespace ZfsSnapshotManager.UnitTests.Server.Uploads;

public sealed class UploadSessionsTests
{
    private readonly UploadSessions _sessions = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_only_takes_what_is_free_disturbs_nobody()
    {
        using (var part = await _sessions.TakeOverPartAsync("one", 3, Token))
        {
            Assert.Null(_sessions.TryTake("one"));
            Assert.False(part.Token.IsCancellationRequested);
            using var other = _sessions.TryTake("two");
            Assert.NotNull(other);
        }

        using var free = _sessions.TryTake("one");
        Assert.NotNull(free);
    }

    [Fact]
    public async Task Who_takes_over_waits_for_who_took_what_was_free()
    {
        var first = _sessions.TryTake("one")!;
        var next = _sessions.TakeOverAsync("one", Token);
        Assert.False(next.IsCompleted);

        first.Dispose();

        using var session = await next;
        Assert.True(_sessions.IsActive("one"));
    }
}
