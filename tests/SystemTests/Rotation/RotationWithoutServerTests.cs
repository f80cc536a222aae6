using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Rotation;

/// <summary>
/// A machine that is cut off from its server takes and rotates its snapshots all the same. On the stand-in for
/// <c>zfs</c>.
/// </summary>
public sealed class RotationWithoutServerTests
{
    [Fact]
    public async Task Snapshots_are_taken_and_those_that_were_never_sent_are_rotated()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        var dataset = $"{client.Area}/data";
        await client.WriteAsync("data", ("small", 9));
        (await client.RunAsync("KEEP_HOURLY=2 zfs-client snapshot hourly --send")).MustSucceed();
        var sent = Assert.Single(await SnapshotsAsync(client, dataset));
        await server.KillAsync();
        for (var hour = 0; hour < 4; hour++)
        {
            var away = await client.RunAsync("RETRY_TIME=0 KEEP_HOURLY=2 zfs-client snapshot hourly --send");

            Assert.Equal(4, away.ExitCode);
            Assert.Contains("was created, but the backup did not end", away.Error, StringComparison.Ordinal);
        }

        var snapshots = await SnapshotsAsync(client, dataset);
        Assert.Equal(3, snapshots.Length); // the two newest, and the base of the next backup
        Assert.Contains(sent, snapshots);
        const string Plan = "RETRY_TIME=0 KEEP_HOURLY=1 zfs-client rotate --dry-run";
        var planned = await client.RunAsync(Plan);
        Assert.Equal(4, planned.ExitCode);
        var lines = planned.Output.Split('\n');
        var row = lines.Single(line => line.StartsWith($"{sent} ", StringComparison.Ordinal));
        Assert.Contains("it was sent (", row, StringComparison.Ordinal);
        Assert.Contains("would destroy 1 of 4 ", planned.Output, StringComparison.Ordinal);
        var json = CommandJson.Parse((await client.RunAsync($"{Plan} --json")).Output);
        Assert.Equal("unreachable", json.GetProperty("failures")[0].GetProperty("code").GetString());
        Assert.Equal(4, json.GetProperty("results")[0].GetProperty("decisions").GetArrayLength());
        Assert.Equal(3, (await SnapshotsAsync(client, dataset)).Length);
        var made = await client.RunAsync("RETRY_TIME=0 KEEP_HOURLY=2 zfs-client snapshot hourly --json");
        var report = CommandJson.Parse(made.Output);
        Assert.Equal((4, "unreachable"), (made.ExitCode, $"{report.GetProperty("failures")[0].GetProperty("code")}"));
        Assert.Equal(dataset, report.GetProperty("results")[0].GetProperty("dataset").GetString());
        await server.StartAgainAsync();
        var next = await client.JsonAsync("KEEP_HOURLY=2 zfs-client snapshot hourly --send");
        Assert.Equal("incremental", next.GetProperty("backup").GetProperty("kind").GetString());
    }

    [Fact]
    public async Task Without_a_policy_of_its_own_nothing_is_rotated_since_the_server_may_keep_more()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        await server.KillAsync();

        var result = await client.RunAsync("RETRY_TIME=0 zfs-client snapshot hourly");
        var rotated = await client.RunAsync("RETRY_TIME=0 KEEP_HOURLY=1 zfs-client rotate");

        Assert.Equal((4, 4), (result.ExitCode, rotated.ExitCode));
        Assert.Contains("was created, but nothing was rotated", result.Error, StringComparison.Ordinal);
        Assert.Contains("KEEP_HOURLY", result.Error, StringComparison.Ordinal);
        Assert.Contains("Nothing was rotated", rotated.Error, StringComparison.Ordinal);
        Assert.Single(await SnapshotsAsync(client, $"{client.Area}/data"));
    }

    private static async Task<string[]> SnapshotsAsync(ClientMachine client, string dataset) =>
        [.. (await client.SnapshotsOfAsync(dataset)).Where(name => name.Contains('@', StringComparison.Ordinal))];
}
