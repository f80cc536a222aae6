using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.UnitTests.Transfer;

public sealed class IdleTimeoutStreamTests
{
    private static readonly TimeSpan Idle = TimeSpan.FromMilliseconds(50);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_read_that_brings_nothing_fails()
    {
        await using var stream = new IdleTimeoutStream(new Silent(), Idle);

        var failure = await Assert.ThrowsAsync<TimeoutException>(() => stream.ReadAsync(new byte[1], Token).AsTask());

        Assert.StartsWith("Nothing came for ", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_of_a_read_ends_it()
    {
        await using var stream = new IdleTimeoutStream(new Silent(), Timeout.InfiniteTimeSpan);
        using var cancelled = new CancellationTokenSource();
        var read = stream.ReadAsync(new byte[1], cancelled.Token).AsTask();

        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
    }

    [Fact]
    public async Task With_a_lifetime_only_that_ends_a_read()
    {
        using var lifetime = new CancellationTokenSource();
        await using var stream = new IdleTimeoutStream(new Silent(), Timeout.InfiniteTimeSpan, lifetime.Token);
        var read = stream.ReadAsync(new byte[1], new CancellationToken(canceled: true)).AsTask();
        Assert.False(read.IsCompleted);

        await lifetime.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
    }

    /// <summary>A stream on which nothing ever arrives.</summary>
    private sealed class Silent : ForwardOnlyStream
    {
        public override bool CanRead => true;

        public override async ValueTask<int> ReadAsync(
            Memory<byte> buffer,
            CancellationToken cancellationToken = default
        )
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return 0;
        }
    }
}
