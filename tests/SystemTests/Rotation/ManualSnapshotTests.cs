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

    /// <summary>The backup is stored: that its tidying is interrupted is no failure of it.</summary>
    [Fact]
    public async Task Ctrl_C_while_older_snapshots_are_removed_does_not_hide_the_backup()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        for (var round = 0; round < 3; round++)
            await client.JsonAsync("zfs-client backup");
        var slow = await SlowDestroyAsync(client);
        using var backup = client.Start($"{slow} exec zfs-client backup");
        var printed = backup.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = backup.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await StopWhileDestroyingAsync(client);

        await Patience.WaitForEndAsync(backup, "the backup");
        Assert.Equal(0, backup.ExitCode);
        Assert.Contains("Verified and stored as ", await printed, StringComparison.Ordinal);
        Assert.Contains(
            "older snapshots stay for the next run: the run was told to stop",
            await error,
            StringComparison.Ordinal
        );
        Assert.Equal(4, (await SnapshotsAsync(client)).Length);
        (await client.RunAsync("zfs-client backup")).MustSucceed();
        Assert.Equal(3, (await SnapshotsAsync(client)).Length);
    }

    [Fact]
    public async Task Ctrl_C_while_snapshots_are_rotated_does_not_hide_what_was_made_and_sent()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        await client.JsonAsync("KEEP_HOURLY=1 zfs-client snapshot hourly --send");
        var slow = await SlowDestroyAsync(client);
        using var run = client.Start($"KEEP_HOURLY=1 {slow} exec zfs-client snapshot hourly --send");
        var error = run.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        _ = run.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await StopWhileDestroyingAsync(client);

        await Patience.WaitForEndAsync(run, "the run");
        Assert.Equal(130, run.ExitCode);
        Assert.Contains(
            "was created, and 1 backed up; the snapshots that they replace stay for the next run.",
            await error,
            StringComparison.Ordinal
        );
        Assert.Equal(2, (await client.ListBackupsAsync()).Length);
    }

    [Fact]
    public async Task Bookmarks_are_bounded_even_if_all_snapshots_are_kept()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        await client.WriteSettingsAsync($"LOCAL_DATASET={client.Area}/data", "KEEP_MANUAL=1000000");
        var first = (await client.JsonAsync("zfs-client backup")).GetProperty("snapshot").GetString()!;
        var tag = (await client.BookmarkOfAsync(first)).Split('.')[^1];
        await client.ShellAsync(
            $"for n in $(seq 110); do zfs bookmark {first} {client.Area}/data#zsm-manual-$n.{tag}; done"
        );

        await client.JsonAsync("zfs-client backup");

        var names = await client.SnapshotsOfAsync($"{client.Area}/data");
        Assert.Equal(100, names.Count(name => name.Contains('#', StringComparison.Ordinal)));
        Assert.Equal(2, (await SnapshotsAsync(client)).Length);
        Assert.Equal("incremental", (await client.JsonAsync("zfs-client backup")).GetProperty("kind").GetString());
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

    /// <summary>A <c>zfs</c> that takes minutes to destroy something.</summary>
    private static Task<string> SlowDestroyAsync(ClientMachine client) =>
        client.WrapZfsAsync($"'destroy '*) touch {client.Folder}/destroying; exec sleep 300");

    private static async Task StopWhileDestroyingAsync(ClientMachine client)
    {
        await Patience.UntilAsync("a snapshot is being destroyed", async () =>
            (await client.RunAsync($"test -e {client.Folder}/destroying")).ExitCode == 0
        );
        await client.KillAsync("zfs-client", "INT");
    }

    private static async Task<string[]> SnapshotsAsync(ClientMachine client) =>
        [
            .. (await client.SnapshotsOfAsync($"{client.Area}/data")).Where(name =>
                name.Contains('@', StringComparison.Ordinal)
            ),
        ];
}
