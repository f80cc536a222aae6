using System.Net;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.UnitTests.Client.Upload;
using ZfsSnapshotManager.UnitTests.Restore;

namespace ZfsSnapshotManager.UnitTests.Api;

public sealed class RetryPolicyTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private readonly ManualTime _time = new();
    private readonly List<string?> _told = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Temporary_failures_are_retried_until_one_try_succeeds()
    {
        var attempts = 0;

        var result = await Uploads(Hour)
            .RunAsync(_ => ++attempts < 5 ? throw Unreachable() : Task.FromResult("done"), Token);

        Assert.Equal("done", result);
        Assert.Equal(5, attempts);
        Assert.Equal(5, _told.Count);
        Assert.Contains("waiting for the server (0 s): it is away", _told[0], StringComparison.Ordinal);
        Assert.Null(_told[^1]);
    }

    [Fact]
    public async Task Pauses_grow_to_about_half_a_minute()
    {
        List<TimeSpan> starts = [];

        await Assert.ThrowsAsync<OperationException>(() =>
            Uploads(Hour)
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
    public async Task The_retry_time_counts_from_the_last_success_of_any_request()
    {
        var retry = Uploads(TimeSpan.FromMinutes(10));
        await Assert.ThrowsAsync<OperationException>(() => retry.RunAsync<int>(_ => throw Unreachable(), Token));
        await retry.RunAsync(_ => Task.FromResult(0), Token);
        _time.Advance(Hour); // no request was sent while zfs send was slow

        var start = _time.Now;
        await Assert.ThrowsAsync<OperationException>(() => retry.RunAsync<int>(_ => throw Unreachable(), Token));

        Assert.Equal(TimeSpan.FromMinutes(10), _time.Now - start);
    }

    [Fact]
    public async Task A_request_that_never_gets_through_ends_although_all_others_do()
    {
        var retry = Uploads(TimeSpan.FromMinutes(10));
        var start = _time.Now;

        await Assert.ThrowsAsync<OperationException>(() =>
            retry.RunAsync<int>(
                _ =>
                {
                    retry.Succeeded(); // another part was stored meanwhile
                    throw Unreachable();
                },
                Token
            )
        );

        Assert.InRange(_time.Now - start, TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(11));
    }

    [Fact]
    public async Task Without_a_retry_time_the_first_failure_is_thrown()
    {
        var attempts = 0;

        await Assert.ThrowsAsync<OperationException>(() =>
            Uploads(TimeSpan.Zero)
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

    [Fact]
    public async Task A_pause_lasts_as_long_as_the_server_asks_for_if_that_is_honored()
    {
        Assert.Equal(TimeSpan.FromMinutes(5), await PauseAsync(honorsRetryAfter: true));
        Assert.InRange(await PauseAsync(honorsRetryAfter: false), TimeSpan.Zero, TimeSpan.FromSeconds(1));

        async Task<TimeSpan> PauseAsync(bool honorsRetryAfter)
        {
            var retry = new RetryPolicy(Hour, _time, _told.Add, new Random(1), honorsRetryAfter);
            var start = _time.Now;
            var busy = new ApiException(ExitCode.ServerFailed, HttpStatusCode.ServiceUnavailable, null, "", null);
            busy.RetryAfter = TimeSpan.FromMinutes(5);
            await retry.WaitAsync(busy, 1, Token);
            return _time.Now - start;
        }
    }

    [Fact]
    public async Task After_the_retry_time_without_progress_the_last_failure_is_thrown()
    {
        var time = new SkippingTime();
        var retry = Downloads(TimeSpan.FromMinutes(10), time);
        var failures = 0;

        var last = await Assert.ThrowsAsync<OperationException>(async () =>
        {
            while (true)
                await retry.WaitAsync(
                    new OperationException(ExitCode.Unreachable, $"failure {++failures}"),
                    failures,
                    Token
                );
        });

        Assert.Equal($"failure {failures}", last.Message);
        Assert.Equal(TimeSpan.FromMinutes(10), time.Passed);
        Assert.InRange(failures, 15, 60); // from half a second up to half a minute
        Assert.Contains(_told, text =>
            text!.StartsWith("waiting for the server (5 min): failure", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task A_success_between_two_failures_begins_patience_anew()
    {
        var time = new SkippingTime();
        var retry = Downloads(TimeSpan.FromSeconds(60), time);
        for (var round = 0; round < 20; round++)
        {
            await retry.WaitAsync(Unreachable(), 6, Token);
            retry.Succeeded();
            retry.Succeeded();
        }

        Assert.True(time.Passed > TimeSpan.FromSeconds(60));
        Assert.Equal(20, _told.Count(text => text is null));
        Assert.Equal(20, retry.Retries);
    }

    private RetryPolicy Downloads(TimeSpan patience, TimeProvider time) => new(patience, time, _told.Add);

    private RetryPolicy Uploads(TimeSpan patience) =>
        new(patience, _time, _told.Add, new Random(1), honorsRetryAfter: true);

    private static OperationException Unreachable() => new(ExitCode.Unreachable, "it is away");
}
