using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Rotation;

/// <summary>
/// Deletions that the store refuses: no request waits for them, they count until they succeed, and an administrator
/// sees and controls them. An immutable file stands for a store that does not delete.
/// </summary>
public sealed class JobTests
{
    private const int Block = 131072;

    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    [Fact]
    public async Task What_cannot_be_deleted_is_tried_again_and_counts_until_then()
    {
        await using var server = await StartAsync();
        using var client = await Uploader.CreateAsync(server, "web1");
        var file = client.ObjectOf(await StoreAsync(client, 1));
        var other = client.ObjectOf(await StoreAsync(client, 2));
        await StoreAsync(client, 3);
        (await Command.RunAsync("chattr", ["+i", file])).MustSucceed();
        try
        {
            using var policy = new StringContent(
                """{"rotation_policy":{"keep_hourly":0,"keep_daily":0,"keep_weekly":0,"keep_monthly":0}}"""
            );
            var rotated = await Answer.ReadAsync(await client.Http.PostAsync("rotate", policy, Token));

            Assert.Equal(2, rotated.MustSucceed().Json.GetProperty("deleted_count").GetInt32());
            var failed = await WaitForAsync(server, "delete/web1", job => job.TryGetProperty("error", out _));
            Assert.Contains("cannot delete", failed.GetProperty("error").GetString(), StringComparison.Ordinal);
            Assert.Equal("waiting", failed.GetProperty("state").GetString());
            Assert.False(File.Exists(other)); // one that cannot be deleted does not stop the others
            Assert.True(await UsedAsync(client) > 6 * Block);
            (await server.RunAsync("jobs", "cancel", "delete/web1")).MustSucceed();
        }
        finally
        {
            (await Command.RunAsync("chattr", ["-i", file])).MustSucceed();
        }

        Assert.Equal("cancelled", (await ShowAsync(server, "delete/web1")).GetProperty("state").GetString());
        await server.KillAsync();
        await server.StartAgainAsync();
        Assert.True(File.Exists(file)); // a start does not undo what an administrator decided
        (await server.RunAsync("jobs", "run", "delete/web1")).MustSucceed();
        await WaitForAsync(server, "delete/web1", job => job.GetProperty("state").GetString() == "done");
        Assert.False(File.Exists(file));
        Assert.True(await UsedAsync(client) < 4 * Block);
        Assert.Equal(8, (await server.RunAsync("jobs", "show", "delete/nobody")).ExitCode);
    }

    [Fact]
    public async Task A_quota_deletes_no_more_while_the_store_does_not_delete()
    {
        await using var server = await StartAsync();
        using var client = await Uploader.CreateAsync(server, "web1", "--max-size", $"{(10 * Block) + 10_000}");
        var oldest = client.ObjectOf(await StoreAsync(client, 1));
        await StoreAsync(client, 2);
        await StoreAsync(client, 3);
        (await Command.RunAsync("chattr", ["+i", oldest])).MustSucceed();
        try
        {
            for (var attempt = 0; attempt < 2; attempt++)
            {
                var refused = await client.SendAsync(await AnnounceAsync(client), Full(4));

                Assert.Equal((HttpStatusCode.ServiceUnavailable, "server_busy"), (refused.Status, refused.Code));
                Assert.Equal(2, await CountAsync(client));
            }
        }
        finally
        {
            (await Command.RunAsync("chattr", ["-i", oldest])).MustSucceed();
        }

        (await server.RunAsync("jobs", "run", "delete/web1")).MustSucceed();
        await WaitForAsync(server, "delete/web1", job => job.GetProperty("state").GetString() == "done");
        (await client.SendAsync(await AnnounceAsync(client), Full(4))).MustSucceed();
        Assert.Equal(3, await CountAsync(client));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static Task<ServerProcess> StartAsync() =>
        ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["DELETE_DELAY_HOURS"] = "0" }
        );

    private static Task<string> AnnounceAsync(Uploader client) =>
        client.AnnounceAsync(new JsonObject { ["dataset_name"] = "tank/data", ["compression"] = "none" });

    private static Task<Answer> StoreAsync(Uploader client, ulong guid) => client.StoreAsync(Full(guid));

    private static byte[] Full(ulong guid) => StreamChain.Stream(guid, 0, Now.AddHours(-10 + (int)guid), blocks: 3);

    private static async Task<long> UsedAsync(Uploader client) =>
        (await client.GetAsync("status")).MustSucceed().Json.GetProperty("used_bytes").GetInt64();

    private static async Task<int> CountAsync(Uploader client) =>
        (await client.GetAsync("status")).MustSucceed().Json.GetProperty("snapshot_count").GetInt32();

    private static async Task<JsonElement> ShowAsync(ServerProcess server, string job) =>
        CommandJson.Result((await server.RunAsync("jobs", "show", job, "--json")).MustSucceed().Output);

    private static async Task<JsonElement> WaitForAsync(ServerProcess server, string job, Func<JsonElement, bool> holds)
    {
        JsonElement shown = default;
        await Patience.UntilAsync($"{job} is as expected", async () => holds(shown = await ShowAsync(server, job)));
        return shown;
    }
}
