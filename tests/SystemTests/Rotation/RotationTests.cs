using System.Text.Json;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Rotation;

/// <summary>What the server deletes, and what it must not.</summary>
public sealed class RotationTests(ServerWithoutDelay server) : IClassFixture<ServerWithoutDelay>
{
    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Backups_that_no_slot_keeps_are_deleted_and_all_others_can_be_restored()
    {
        using var client = await ManagedAsync(hourly: 2, daily: 1);
        await SendAsync(client, 1, 0, Now.AddHours(-30), "hourly");
        await SendAsync(client, 2, 1, Now.AddHours(-20), "hourly");
        await SendAsync(client, 3, 0, Now.AddHours(-10), "hourly");
        await SendAsync(client, 4, 3, Now.AddHours(-9), "daily");
        await SendAsync(client, 5, 4, Now.AddHours(-8), "hourly");
        await SendAsync(client, 6, 5, Now.AddHours(-7), "hourly");
        var planned = await RotateAsync(client, dryRun: true);
        Assert.Equal(6, (await ListAsync(client)).Count);

        var rotated = await RotateAsync(client);

        Assert.Equal(["1:delete", "2:delete", "3:keep", "4:keep", "5:keep", "6:keep"], Actions(planned));
        Assert.Equal(["1:delete", "2:delete"], Actions(rotated));
        Assert.Equal(2, rotated.GetProperty("deleted_count").GetInt32());
        Assert.True(rotated.GetProperty("server_managed").GetBoolean());
        Assert.Equal(["3", "4", "5", "6"], await ListAsync(client));
        await Patience.UntilAsync("each has its object and manifest, and nothing else is there", () =>
            server
                .Process.StoredFiles()
                .Count(file => file.StartsWith($"objects/{client.Id}/", StringComparison.Ordinal)) == 8
        );
        Assert.Equal(
            rotated.GetProperty("reclaimed_bytes").GetInt64(),
            planned
                .GetProperty("decisions")
                .EnumerateArray()
                .Where(item => item.GetProperty("action").GetString() == "delete")
                .Sum(item => item.GetProperty("size_bytes").GetInt64())
        );
        (await client.RestoreAsync("verify", "all")).MustSucceed();
        Assert.Equal(0, (await RotateAsync(client)).GetProperty("deleted_count").GetInt32());
    }

    [Fact]
    public async Task A_client_cannot_shorten_the_servers_policy_but_has_its_own_without_one()
    {
        using var managed = await ManagedAsync(hourly: 3, daily: 0);
        using var autonomous = await server.NewClientAsync();
        foreach (var client in (Uploader[])[managed, autonomous])
        {
            for (var guid = 1UL; guid <= 3; guid++)
                await SendAsync(client, guid, 0, Now.AddHours(-10 + (int)guid), "hourly");
        }

        await RotateAsync(managed, policy: """{"keep_hourly":1,"keep_daily":0,"keep_weekly":0,"keep_monthly":0}""");
        await RotateAsync(autonomous, policy: """{"keep_hourly":1,"keep_daily":0,"keep_weekly":0,"keep_monthly":0}""");

        Assert.Equal(["1", "2", "3"], await ListAsync(managed));
        Assert.Equal(["3"], await ListAsync(autonomous));
    }

    [Fact]
    public async Task Without_any_policy_and_within_the_quota_nothing_is_deleted()
    {
        using var client = await server.NewClientAsync();
        for (var guid = 1UL; guid <= 3; guid++)
            await SendAsync(client, guid, 0, Now.AddYears(-3), "hourly");

        var answer = await Answer.ReadAsync(await client.Http.PostAsync("rotate", null, Token));

        Assert.Equal(0, answer.MustSucceed().Json.GetProperty("deleted_count").GetInt32());
        Assert.Equal(3, (await ListAsync(client)).Count);
    }

    [Fact]
    public async Task The_base_of_an_open_upload_is_kept_even_if_its_client_did_not_name_it()
    {
        using var client = await ManagedAsync(hourly: 1, daily: 0);
        await SendAsync(client, 1, 0, Now.AddHours(-5), "hourly");
        await SendAsync(client, 2, 0, Now.AddHours(-4), "hourly");
        var upload = await client.AnnounceAsync(
            new JsonObject
            {
                ["dataset_name"] = "tank/data",
                ["compression"] = "none",
                ["snapshot_type"] = "hourly",
            }
        );
        using var gate = new SemaphoreSlim(0);
        var stream = StreamChain.Stream(3, 1, Now, blocks: 20);
        var sending = client.SendAsync(upload, new HaltingContent(stream, stream.Length / 2, gate));
        await client.WaitForReceivingAsync(upload);
        await Patience.UntilAsync("the stream's BEGIN is read", async () =>
            (await RotateAsync(client, dryRun: true))
                .GetProperty("decisions")
                .EnumerateArray()
                .All(item => item.GetProperty("action").GetString() == "keep")
        );

        await RotateAsync(client);
        gate.Release();

        (await sending).MustSucceed();
        (await client.RestoreAsync("verify", "all")).MustSucceed();
        Assert.Equal(["1", "2", "3"], await ListAsync(client));
    }

    [Fact]
    public async Task A_pinned_backup_is_kept_until_it_is_unpinned()
    {
        using var client = await ManagedAsync(hourly: 1, daily: 0);
        for (var guid = 1UL; guid <= 3; guid++)
            await SendAsync(client, guid, 0, Now.AddHours(-10 + (int)guid), "hourly");
        var first = await IdOfAsync(client, "1");

        (await server.Process.RunAsync("backup", "pin", first)).MustSucceed();
        await RotateAsync(client);

        Assert.Equal(["1", "3"], await ListAsync(client));
        Assert.Contains(
            "pinned",
            (await server.Process.RunAsync("backup", "show", first)).MustSucceed().Output,
            StringComparison.Ordinal
        );
        (await server.Process.RunAsync("backup", "unpin", first)).MustSucceed();
        await RotateAsync(client);
        Assert.Equal(["3"], await ListAsync(client));
    }

    [Fact]
    public async Task By_default_what_a_policy_rotates_stays_for_a_day_and_what_a_quota_needs_does_not()
    {
        await using var own = await ServerProcess.StartAsync();
        using var client = await ManagedAsync(own, hourly: 1, daily: 0);
        for (var guid = 1UL; guid <= 3; guid++)
            await SendAsync(client, guid, 0, Now.AddHours(-10 + (int)guid), "hourly");

        var rotated = await RotateAsync(client);

        Assert.Equal(["1:expire", "2:expire"], Actions(rotated));
        Assert.InRange(
            rotated.GetProperty("decisions")[0].GetProperty("expires_at").GetDateTimeOffset(),
            Now.AddHours(23),
            TimeProvider.System.GetUtcNow().AddHours(25)
        );
        await EditedClients.ChangeAsync(own, client.Id, entry =>
            entry["max_size_bytes"] = StreamChain.Stream(1, 0, Now).Length * 3
        );
        await SendAsync(client, 4, 0, Now.AddHours(-1), "hourly");
        Assert.Equal(["2", "3", "4"], await ListAsync(client));
    }

    /// <summary>No battery, a wrong time server, a virtual machine that was resumed.</summary>
    [Fact]
    public async Task A_clock_that_jumped_to_the_end_of_the_century_deletes_no_backup_and_drops_no_upload()
    {
        using var clock = new WrongClock();
        await using var own = await ServerProcess.StartAsync(await clock.SettingsAsync());
        using var client = await ManagedAsync(own, hourly: 1, daily: 0);
        for (var guid = 1UL; guid <= 3; guid++)
            await SendAsync(client, guid, 0, Now.AddHours(-10 + (int)guid), "hourly");
        var expiry = ExpiryOf(await RotateAsync(client));
        var cut = CutParts.Cut(StreamChain.Stream(4, 3, Now), int.MaxValue, new Random(1), gzip: false);
        var open = await client.AnnounceAsync(
            new JsonObject { ["dataset_name"] = "tank/data", ["compression"] = "none" }
        );
        (await client.SendPartAsync(open, cut.Parts[0])).MustSucceed();

        await own.KillAsync();
        clock.Set(TimeSpan.FromDays(70 * 365));
        await own.StartAgainAsync();
        await own.MustLogAsync("The clock is more than a day ahead");
        var rotated = await RotateAsync(client);

        Assert.Equal(["1:expire", "2:expire"], Actions(rotated));
        Assert.Equal(["1", "2", "3"], await ListAsync(client));
        await own.KillAsync();
        clock.Set(TimeSpan.Zero);
        await own.StartAgainAsync();
        (await client.CompleteAsync(open, cut)).MustSucceed();
        Assert.Equal(expiry, ExpiryOf(await RotateAsync(client)));
    }

    /// <summary>A client that was taken over has rotated, and its administrator locks it out.</summary>
    [Fact]
    public async Task Disabling_a_client_says_what_is_expiring_and_all_of_it_can_be_kept_at_once()
    {
        await using var own = await ServerProcess.StartAsync();
        using var client = await ManagedAsync(own, hourly: 1, daily: 0);
        for (var guid = 1UL; guid <= 3; guid++)
            await SendAsync(client, guid, 0, Now.AddHours(-10 + (int)guid), "hourly");
        await RotateAsync(client);

        var disabled = (await own.RunAsync("client", "disable", client.Id)).MustSucceed();
        var kept = (await own.RunAsync("backup", "keep", "--client", client.Id, "--expiring")).MustSucceed();

        Assert.Contains("2 of its backups were rotated", disabled.Output, StringComparison.Ordinal);
        Assert.Equal(2, kept.Output.Split("is kept: it is pinned").Length - 1);
        var pinned = await own.RunAsync("backup", "list", "--client", client.Id, "--pinned", "--json");
        Assert.Equal(2, CommandJson.Parse(pinned.MustSucceed().Output).GetProperty("results").GetArrayLength());
        Assert.Equal(2, (await own.RunAsync("backup", "keep", "--expiring")).ExitCode);
    }

    [Fact]
    public async Task With_a_delay_rotated_backups_stay_for_a_while_and_can_be_kept()
    {
        await using var own = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["DELETE_DELAY_HOURS"] = "48" }
        );
        using var client = await ManagedAsync(own, hourly: 1, daily: 0);
        for (var guid = 1UL; guid <= 3; guid++)
            await SendAsync(client, guid, 0, Now.AddHours(-10 + (int)guid), "hourly");

        var rotated = await RotateAsync(client);

        Assert.Equal(["1:expire", "2:expire"], Actions(rotated));
        Assert.Equal(3, (await ListAsync(client)).Count);
        Assert.Equal(2, (await client.GetAsync("status")).MustSucceed().Json.GetProperty("expiring_count").GetInt32());
        (await own.RunAsync("backup", "keep", await IdOfAsync(client, "1"))).MustSucceed();
        var left = await own.RunAsync("backup", "list", "--expiring", "--json");
        var expiring = CommandJson.Result(left.MustSucceed().Output).GetProperty("backup");
        Assert.Equal("2", expiring.GetProperty("snapshot_guid").GetString());
        Assert.InRange(
            expiring.GetProperty("expires_at").GetDateTimeOffset(),
            Now.AddHours(47),
            TimeProvider.System.GetUtcNow().AddHours(49)
        );
    }

    private Task<Uploader> ManagedAsync(int hourly, int daily) => ManagedAsync(server.Process, hourly, daily);

    private static async Task<Uploader> ManagedAsync(ServerProcess server, int hourly, int daily)
    {
        var client = await Uploader.CreateAsync(server, $"managed{Guid.NewGuid().ToString("N")[..6]}");
        await EditedClients.ChangeAsync(server, client.Id, entry =>
            entry["rotation_policy"] = new JsonObject { ["keep_hourly"] = hourly, ["keep_daily"] = daily }
        );
        return client;
    }

    private static async Task SendAsync(Uploader client, ulong guid, ulong from, DateTimeOffset time, string type)
    {
        var upload = await client.AnnounceAsync(
            new JsonObject
            {
                ["dataset_name"] = "tank/data",
                ["compression"] = "none",
                ["snapshot_type"] = type,
            }
        );
        (await client.SendAsync(upload, StreamChain.Stream(guid, from, time))).MustSucceed();
    }

    private static async Task<JsonElement> RotateAsync(Uploader client, bool dryRun = false, string? policy = null)
    {
        var body = new JsonObject { ["dry_run"] = dryRun };
        if (policy is not null)
            body["rotation_policy"] = JsonNode.Parse(policy);
        using var content = new StringContent(body.ToJsonString());
        return (await Answer.ReadAsync(await client.Http.PostAsync("rotate", content, Token))).MustSucceed().Json;
    }

    private static IEnumerable<string> Actions(JsonElement answer) =>
        answer
            .GetProperty("decisions")
            .EnumerateArray()
            .Select(item =>
                $"{item.GetProperty("snapshot_name").GetString()![1..]}:{item.GetProperty("action").GetString()}"
            )
            .Order(StringComparer.Ordinal);

    private static IEnumerable<DateTimeOffset> ExpiryOf(JsonElement answer) =>
        [
            .. answer
                .GetProperty("decisions")
                .EnumerateArray()
                .Where(item => item.GetProperty("action").GetString() == "expire")
                .Select(item => item.GetProperty("expires_at").GetDateTimeOffset()),
        ];

    /// <summary>GUIDs of the client's backups.</summary>
    private static async Task<List<string>> ListAsync(Uploader client) =>
        [
            .. (await client.GetAsync("snapshots"))
                .MustSucceed()
                .Json.GetProperty("snapshots")
                .EnumerateArray()
                .Select(backup => backup.GetProperty("snapshot_guid").GetString()!)
                .Order(StringComparer.Ordinal),
        ];

    private static async Task<string> IdOfAsync(Uploader client, string guid) =>
        (await client.GetAsync("snapshots"))
            .MustSucceed()
            .Json.GetProperty("snapshots")
            .EnumerateArray()
            .Single(backup => backup.GetProperty("snapshot_guid").GetString() == guid)
            .GetProperty("snapshot_id")
            .GetString()!;
}
