using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Rotation;

/// <summary>Typed snapshots and their rotation on real ZFS.</summary>
[Collection("zfs-2")]
public sealed class ClientRotationTests(SecondZfsHost host)
{
    [Fact]
    public async Task Typed_snapshots_are_rotated_and_nothing_else_is_touched()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        var data = $"{client.Area}/data";
        await client.WriteSettingsAsync($"LOCAL_DATASET={data}", "KEEP_HOURLY=2", "KEEP_DAILY=1");
        await client.ShellAsync(
            $"zfs snapshot {data}@zsm-hourly-of-somebody-else && zfs bookmark {data}@zsm-hourly-of-somebody-else "
                + $"{data}#mine"
        );
        var manual = (await client.JsonAsync("zfs-client backup")).GetProperty("snapshot").GetString()!;
        List<string> hourly = [];
        for (var index = 0; index < 4; index++)
            hourly.Add((await client.JsonAsync("zfs-client snapshot hourly")).GetProperty("snapshot").GetString()!);
        var daily = (await client.JsonAsync("zfs-client snapshot daily")).GetProperty("snapshot").GetString()!;

        var left = await client.SnapshotsOfAsync(data);

        Assert.Equal(
            new[]
            {
                $"{data}@zsm-hourly-of-somebody-else",
                $"{data}#mine",
                manual,
                await client.BookmarkOfAsync(manual),
                hourly[2],
                hourly[3],
                daily,
            }.Order(StringComparer.Ordinal),
            left.Order(StringComparer.Ordinal)
        );
        var plan = await client.JsonAsync("zfs-client rotate --dry-run");
        Assert.Equal(
            0,
            plan.GetProperty("decisions")
                .EnumerateArray()
                .Count(item => item.GetProperty("action").GetString() != "keep")
        );
        Assert.All(plan.GetProperty("decisions").EnumerateArray(), item =>
            Assert.NotEmpty(item.GetProperty("reason").GetString()!)
        );
    }

    [Fact]
    public async Task Sent_typed_snapshots_are_rotated_on_both_sides_by_the_servers_policy()
    {
        await using var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["DELETE_DELAY_HOURS"] = "0" }
        );
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        var data = $"{client.Area}/data";
        await client.WriteSettingsAsync($"LOCAL_DATASET={data}", "KEEP_HOURLY=50", "MAX_CHAIN=1");
        await EditedClients.ChangeAsync(server, client.Id, entry => entry["rotation_policy"] =
                new System.Text.Json.Nodes.JsonObject
                {
                    ["keep_hourly"] = 2,
                    ["keep_daily"] = 0,
                    ["keep_weekly"] = 0,
                    ["keep_monthly"] = 0,
                });
        List<string> kinds = [];
        CommandResult last = null!;
        for (var index = 0; index < 6; index++)
        {
            await client.ShellAsync($"head -c 100000 /dev/urandom > /{data}/file{index}");
            last = (await client.RunAsync("zfs-client snapshot hourly --send")).MustSucceed();
            kinds.Add(last.Output.Contains(": full", StringComparison.Ordinal) ? "full" : "incremental");
        }

        Assert.Contains("the server's rotation policy applies", last.Error, StringComparison.Ordinal);
        Assert.Equal(["full", "incremental", "full", "incremental", "full", "incremental"], kinds); // MAX_CHAIN
        Assert.Equal(
            2,
            (await client.SnapshotsOfAsync(data)).Count(name => name.Contains("@zsm-hourly-", StringComparison.Ordinal))
        );
        Assert.Equal(6, (await client.ListBackupsAsync()).Length);
        var dry = await client.JsonAsync("zfs-client rotate-remote --dry-run");
        Assert.Equal(
            4,
            dry.GetProperty("decisions")
                .EnumerateArray()
                .Count(item => item.GetProperty("action").GetString() == "delete")
        );

        var rotated = await client.JsonAsync("zfs-client rotate-remote");

        Assert.Equal(4, rotated.GetProperty("deleted_count").GetInt32());
        Assert.Equal(2, (await client.ListBackupsAsync()).Length);
        (await client.RunAsync("zfs-client rotate")).MustSucceed(); // bookmarks of deleted backups are deleted too
        Assert.Equal(
            2,
            (await client.SnapshotsOfAsync(data)).Count(name => name.Contains('#', StringComparison.Ordinal))
        );
        await client.JsonAsync($"zfs-restore latest {client.Area}/restored");
        var newest = (await client.SnapshotsOfAsync(data))
            .Where(name => name.Contains('@', StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Last();
        await client.AssertSameAsync(newest, $"{client.Area}/restored");
        await client.ShellAsync($"head -c 100000 /dev/urandom > /{data}/more");
        Assert.Equal("full", (await client.JsonAsync("zfs-client backup")).GetProperty("kind").GetString());
    }

    [Fact]
    public async Task Without_the_server_the_snapshot_is_created_and_the_rest_is_reported_as_not_done()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        await server.KillAsync();

        var result = await client.RunAsync("RETRY_TIME=1 zfs-client snapshot weekly");

        Assert.Equal(4, result.ExitCode);
        Assert.Contains("was created, but nothing was rotated", result.Error, StringComparison.Ordinal);
        Assert.Single(await client.SnapshotsOfAsync($"{client.Area}/data"));
    }
}
