using System.Net;
using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.UnitTests.Client.Upload;

public sealed class ServerPatienceTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private readonly ManualTime _time = new();
    private readonly List<string?> _told = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_fails_for_a_while_is_tried_until_it_succeeds()
    {
        var attempts = 0;

        var result = await Patience(Hour)
            .RunAsync(_ => ++attempts < 5 ? throw Unreachable() : Task.FromResult("done"), Token);

        Assert.Equal("done", result);
        Assert.Equal(5, attempts);
        Assert.Equal(5, _told.Count);
        Assert.Contains("waiting for the server (0 s): it is away", _told[0], StringComparison.Ordinal);
        Assert.Null(_told[^1]);
    }

    [Fact]
    public async Task Pauses_grow_and_end_at_half_a_minute_or_a_little_more()
    {
        List<TimeSpan> starts = [];

        await Assert.ThrowsAsync<OperationException>(() =>
            Patience(Hour)
                .RunAsync<int>(
                    _ =>
                    {
                        starts.Add(_time.Now);
                        throw Unreachable();
                    },
                    Token
                )
        );

        var pauses = starts.Zip(starts.Skip(1), (first, second) => (second - first).TotalSeconds).ToList();
        Assert.InRange(pauses[0], 0.25, 0.75);
        Assert.InRange(pauses[3], 2, 6);
        Assert.All(pauses.Skip(8).SkipLast(1), pause => Assert.InRange(pause, 15, 45));
        Assert.Equal(Hour, _time.Now);
    }

    [Fact]
    public async Task Patience_is_counted_from_the_last_success_of_any_request()
    {
        var patience = Patience(TimeSpan.FromMinutes(10));
        await Assert.ThrowsAsync<OperationException>(() => patience.RunAsync<int>(_ => throw Unreachable(), Token));
        await patience.RunAsync(_ => Task.FromResult(0), Token);
        _time.Advance(Hour); // nothing was asked for; zfs send took its time

        var start = _time.Now;
        await Assert.ThrowsAsync<OperationException>(() => patience.RunAsync<int>(_ => throw Unreachable(), Token));

        Assert.Equal(TimeSpan.FromMinutes(10), _time.Now - start);
    }

    [Fact]
    public async Task Without_patience_the_first_failure_counts()
    {
        var attempts = 0;

        await Assert.ThrowsAsync<OperationException>(() =>
            Patience(TimeSpan.Zero)
                .RunAsync<int>(
                    _ =>
                    {
                        attempts++;
                        throw Unreachable();
                    },
                    Token
                )
        );

        Assert.Equal(1, attempts);
        Assert.Empty(_told);
    }

    [Theory]
    [InlineData(HttpStatusCode.RequestTimeout, null, true)]
    [InlineData(HttpStatusCode.TooManyRequests, null, true)]
    [InlineData(HttpStatusCode.TooManyRequests, "too_many_uploads", false)]
    [InlineData(HttpStatusCode.InternalServerError, "internal_error", true)]
    [InlineData(HttpStatusCode.BadGateway, null, true)]
    [InlineData(HttpStatusCode.ServiceUnavailable, "server_stopping", true)]
    [InlineData(HttpStatusCode.GatewayTimeout, null, true)]
    [InlineData(HttpStatusCode.UnprocessableEntity, "part_damaged", true)]
    [InlineData(HttpStatusCode.UnprocessableEntity, "stream_damaged", false)]
    [InlineData(HttpStatusCode.Unauthorized, "unauthorized", false)]
    [InlineData(HttpStatusCode.NotFound, "not_found", false)]
    [InlineData(HttpStatusCode.Conflict, "upload_replaced", false)]
    [InlineData(HttpStatusCode.Conflict, "base_missing", false)]
    [InlineData(HttpStatusCode.InsufficientStorage, "storage_full", false)]
    public void Some_answers_pass_by_themselves_and_others_do_not(HttpStatusCode status, string? code, bool passes)
    {
        var error = code is null
            ? null
            : new ApiError
            {
                Success = false,
                Message = "no",
                Code = code,
            };

        Assert.Equal(passes, ServerPatience.IsPassing(ApiClient.ToException(status, error)));
    }

    [Fact]
    public void A_failure_of_this_side_does_not_pass()
    {
        Assert.False(ServerPatience.IsPassing(new OperationException(ExitCode.Zfs, "zfs send failed")));
        Assert.False(ServerPatience.IsPassing(new StoredContentMismatchException()));
        Assert.False(ServerPatience.IsPassing(new OperationCanceledException()));
    }

    private ServerPatience Patience(TimeSpan patience) => new(patience, _time, new Random(1), _told.Add);

    private static OperationException Unreachable() => new(ExitCode.Unreachable, "it is away");
}
