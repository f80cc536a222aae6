using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Rotation;

/// <summary>The snapshots of plain <c>backup</c> do not pile up. On the stand-in for <c>zfs</c>.</summary>
public sealed class ManualSnapshotTests
{
    [Fact]
    public async Task Backup_itself_removes_its_older_snapshots_and_says_so()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        List<string> snapshots = [];
        for (var round = 0; round < 5; round++)
            snapshots.Add((await client.JsonAsync("zfs-client backup")).GetProperty("snapshot").GetString()!);

        var kept = await SnapshotsAsync(client);
        var last = (await client.RunAsync("zfs-client backup")).MustSucceed();

        Assert.Equal(snapshots[^3..], kept);
        Assert.Contains($"Destroyed {snapshots[2]}", last.Error, StringComparison.Ordinal);
        Assert.Contains("KEEP_MANUAL=3", last.Error, StringComparison.Ordinal);
        Assert.Equal(6, (await client.ListBackupsAsync()).Length);
    }

    [Fact]
    public async Task A_snapshot_with_a_clone_stays_and_the_run_succeeds()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        var first = (await client.JsonAsync("zfs-client backup")).GetProperty("snapshot").GetString()!;
        await client.ShellAsync($"zfs clone {first} {client.Area}/clone");
        for (var round = 0; round < 4; round++)
            await client.JsonAsync("zfs-client backup");

        var rotated = (await client.RunAsync("zfs-client rotate")).MustSucceed();

        Assert.Contains($"{client.Area}/clone is a clone of it", rotated.Error, StringComparison.Ordinal);
        Assert.Contains(first, await SnapshotsAsync(client));
        Assert.Equal(4, (await SnapshotsAsync(client)).Length);
        var plan = await client.JsonAsync("zfs-client rotate --dry-run");
        var decision = plan.GetProperty("decisions")
            .EnumerateArray()
            .Single(item => item.GetProperty("name").GetString() == first);
        Assert.Equal("keep", decision.GetProperty("action").GetString());
        Assert.Contains("is a clone of it", decision.GetProperty("reason").GetString(), StringComparison.Ordinal);
    }

    private static async Task<ClientMachine> CreateAsync(ServerProcess server)
    {
        var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        await client.WriteSettingsAsync($"LOCAL_DATASET={client.Area}/data", "KEEP_MANUAL=3");
        await client.WriteAsync("data", ("file", 1000));
        return client;
    }

    private static async Task<string[]> SnapshotsAsync(ClientMachine client) =>
        [
            .. (await client.SnapshotsOfAsync($"{client.Area}/data")).Where(name =>
                name.Contains('@', StringComparison.Ordinal)
            ),
        ];
}
