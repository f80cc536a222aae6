using System.Net;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.UnitTests.Restore;

public sealed class DownloadPatienceTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(503, "store_unavailable", true)]
    [InlineData(503, "server_busy", true)]
    [InlineData(502, null, true)]
    [InlineData(504, null, true)]
    [InlineData(429, null, true)]
    [InlineData(408, null, true)]
    [InlineData(500, null, true)]
    [InlineData(500, "internal_error", true)]
    [InlineData(500, "object_damaged", false)]
    [InlineData(500, "object_missing", false)]
    [InlineData(500, "storage_refused", false)]
    [InlineData(401, "unauthorized", false)]
    [InlineData(404, "not_found", false)]
    [InlineData(412, null, false)]
    [InlineData(416, null, false)]
    public void What_the_server_answers_passes_or_not(int status, string? code, bool passes)
    {
        var error = code is null
            ? null
            : new ApiError
            {
                Success = false,
                Message = "",
                Code = code,
            };
        Assert.Equal(passes, DownloadPatience.IsPassing(ApiClient.ToException((HttpStatusCode)status, error)));
    }

    [Fact]
    public async Task Patience_is_over_when_nothing_came_for_that_long_and_the_failure_is_the_last_one()
    {
        var time = new SkippingTime();
        List<string?> told = [];
        var patience = new DownloadPatience(TimeSpan.FromMinutes(10), time, told.Add);
        var failures = 0;

        var last = await Assert.ThrowsAsync<OperationException>(async () =>
        {
            while (true)
                await patience.WaitAsync(
                    new OperationException(ExitCode.Unreachable, $"failure {++failures}"),
                    failures,
                    Token
                );
        });

        Assert.Equal($"failure {failures}", last.Message);
        Assert.Equal(TimeSpan.FromMinutes(10), time.Passed);
        Assert.InRange(failures, 15, 60); // half a second at first, half a minute at last
        Assert.Contains(told, text =>
            text!.StartsWith("waiting for the server (5 min): failure", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task A_byte_begins_it_anew()
    {
        var time = new SkippingTime();
        List<string?> told = [];
        var patience = new DownloadPatience(TimeSpan.FromSeconds(60), time, told.Add);
        for (var round = 0; round < 20; round++)
        {
            await patience.WaitAsync(FaultySource.Broken(), 6, Token);
            patience.Moved();
            patience.Moved();
        }

        Assert.True(time.Passed > TimeSpan.FromSeconds(60));
        Assert.Equal(20, told.Count(text => text is null));
        Assert.Equal(20, patience.Retries);
    }
}
