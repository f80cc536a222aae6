using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.UnitTests.Api;

public sealed class ResponseBodyTests
{
    [Fact]
    public async Task A_response_that_stalls_is_a_broken_connection()
    {
        await using var body = new ResponseBody(
            new MemoryStream(),
            new Body(_ => Task.Delay(Timeout.Infinite, _)),
            "c/backup",
            TimeSpan.FromMilliseconds(50)
        );

        var failure = await Assert.ThrowsAsync<OperationException>(() =>
            body.ReadAsync(new byte[10], TestContext.Current.CancellationToken).AsTask()
        );

        Assert.Equal(FailureKind.Transient, failure.Kind);
        Assert.Contains("sent nothing of c/backup", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Time_between_two_reads_does_not_count()
    {
        await using var body = new ResponseBody(
            new MemoryStream(),
            new Body(_ => Task.CompletedTask),
            "c/backup",
            TimeSpan.FromMilliseconds(200)
        );
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(1, await body.ReadAsync(new byte[10], TestContext.Current.CancellationToken));
            await Task.Delay(300, TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task A_broken_connection_is_retried_and_an_interrupt_by_the_user_is_not()
    {
        await using var broken = new ResponseBody(
            new MemoryStream(),
            new Body(_ => throw new HttpIOException(HttpRequestError.ResponseEnded)),
            "c/backup",
            TimeSpan.FromSeconds(5)
        );
        var failure = await Assert.ThrowsAsync<OperationException>(() =>
            broken.ReadAsync(new byte[10], TestContext.Current.CancellationToken).AsTask()
        );
        Assert.Equal(FailureKind.Transient, failure.Kind);

        using var interrupt = new CancellationTokenSource(50);
        await using var silent = new ResponseBody(
            new MemoryStream(),
            new Body(token => Task.Delay(Timeout.Infinite, token)),
            "c/backup",
            TimeSpan.FromSeconds(5)
        );
        _ = await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            silent.ReadAsync(new byte[10], interrupt.Token).AsTask()
        );
    }

    private sealed class Body(Func<CancellationToken, Task> before) : ForwardOnlyStream
    {
        public override bool CanRead => true;

        public override async ValueTask<int> ReadAsync(
            Memory<byte> buffer,
            CancellationToken cancellationToken = default
        )
        {
            await before(cancellationToken);
            return 1;
        }
    }
}
