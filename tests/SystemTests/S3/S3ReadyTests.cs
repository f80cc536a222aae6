using System.Net;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary>GET /ready reports in bounded time that S3 is unreachable, and when it is back.</summary>
[Collection("s3")]
public sealed class S3ReadyTests(Radosgw s3)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Three servers at once: most of the time is spent waiting until a cached GET /ready expires.</summary>
    [Fact]
    public Task An_S3_that_does_not_work_is_named_until_it_does() =>
        Task.WhenAll(((string[])["killed", "frozen", "emptied"]).Select(IsNamedUntilItWorksAsync));

    private async Task IsNamedUntilItWorksAsync(string how)
    {
        await using var gateway = await Gateway.StartAsync(s3);
        await using var lab = await S3Lab.StartAsync(
            s3,
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                [S3Lab.QuickToGiveUp.Key] = S3Lab.QuickToGiveUp.Value,
            },
            gateway.Endpoint
        );
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(lab)).Status);

        if (how == "killed")
            await gateway.KillAsync();
        else if (how == "frozen")
            await gateway.SignalAsync("STOP");
        else
            await s3.Client.CopyObjectAsync(lab.Bucket, "zfs-server.json", lab.Bucket, "aside", Token);
        if (how == "emptied")
            await s3.Client.DeleteObjectAsync(lab.Bucket, "zfs-server.json", Token);
        await Patience.UntilAsync("it is noticed", async () =>
            (await AskAsync(lab)).Status == HttpStatusCode.ServiceUnavailable
        );

        var start = TimeProvider.System.GetTimestamp();
        var answer = await AskAsync(lab);
        // S3_RETRY_TIME is a minute.
        Assert.InRange(TimeProvider.System.GetElapsedTime(start), TimeSpan.Zero, Patience.Of(10));
        var fault = Assert.Single(answer.Json.GetProperty("checks").EnumerateArray(), check =>
            !check.GetProperty("ok").GetBoolean()
        );
        Assert.Equal(
            ("not_ready", "store"),
            (answer.Json.GetProperty("status").GetString(), fault.GetProperty("name").GetString())
        );
        Assert.Contains(
            how == "emptied" ? "lacks what it should contain" : "does not answer",
            fault.GetProperty("message").GetString(),
            StringComparison.Ordinal
        );
        Assert.DoesNotContain((string[])[lab.Bucket, lab.Proxy.Endpoint], secret =>
            answer.Text.Contains(secret, StringComparison.Ordinal)
        );
        await lab.Server.MustLogAsync("Not ready: store");

        if (how == "killed")
            await gateway.StartAgainAsync();
        else if (how == "frozen")
            await gateway.SignalAsync("CONT");
        else
            await s3.Client.CopyObjectAsync(lab.Bucket, "aside", lab.Bucket, "zfs-server.json", Token);
        await Patience.UntilAsync("it is ready again", async () => (await AskAsync(lab)).Status == HttpStatusCode.OK);
        await lab.Server.MustLogAsync("Ready again: store");
    }

    private static async Task<Answer> AskAsync(S3Lab lab) =>
        await Answer.ReadAsync(await lab.Server.Http.GetAsync("ready", Token));
}
