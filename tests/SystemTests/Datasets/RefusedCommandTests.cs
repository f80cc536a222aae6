using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Datasets;

/// <summary>
/// A step after a backup that ZFS refuses costs neither that backup nor a later one. On the stand-in for <c>zfs</c>.
/// </summary>
public sealed class RefusedCommandTests
{
    private readonly StandInHost _host = new();

    [Fact]
    public async Task Where_bookmarks_are_not_allowed_the_snapshot_is_the_base_of_the_next_backup()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(_host, server, "data");
        var commands = await CountedCommands.CreateAsync(
            client,
            "[ $1 = bookmark ] && { echo \"cannot create bookmark '$3': permission denied\" >&2; exit 1; }"
        );
        await client.WriteAsync("data", ("file", 5000));

        var first = await client.RunAsync($"{commands.Path} zfs-client backup");
        await client.WriteAsync("data", ("more", 5000));
        var second = await client.RunAsync($"{commands.Path} zfs-client backup");

        first.MustSucceed();
        Assert.Contains("has no bookmark here", first.Error, StringComparison.Ordinal);
        Assert.Contains("zfs allow", first.Error, StringComparison.Ordinal);
        second.MustSucceed();
        Assert.Contains(": incremental from ", second.Output, StringComparison.Ordinal);
        var snapshots = await client.SnapshotsOfAsync($"{client.Area}/data");
        Assert.Empty(await client.ShellAsync($"zfs holds -H {string.Join(' ', snapshots)}"));
    }

    /// <summary>What the run knows of the server is not asked for again.</summary>
    [Fact]
    public async Task A_dataset_that_cannot_be_tidied_up_does_not_keep_the_snapshots_of_others()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(_host, server, "a", "b");
        await using var proxy = new FaultProxy($"127.0.0.1:{server.Port}");
        await client.WriteSettingsAsync(
            $"LOCAL_DATASET={client.Area}/a,{client.Area}/b",
            $"SERVER_URL=http://{proxy.Endpoint}",
            "KEEP_MANUAL=0"
        );
        var commands = await CountedCommands.CreateAsync(
            client,
            $"[[ $1 = list && \" $*\" = *name,clones* && ${{*: -1}} = {client.Area}/a ]] && {{ echo \"cannot open "
                + $"'{client.Area}/a': dataset does not exist\" >&2; exit 1; }}"
        );
        (await client.RunAsync("zfs-client backup")).MustSucceed();
        proxy.Forget();

        var backup = (await client.RunAsync($"{commands.Path} zfs-client backup")).MustSucceed();

        Assert.Contains($"The backup of {client.Area}/a is stored", backup.Error, StringComparison.Ordinal);
        Assert.Equal((2, 1), (await CountAsync(client, "a"), await CountAsync(client, "b")));
        Assert.Single(proxy.Requests, request => request.Path.StartsWith("/snapshots", StringComparison.Ordinal));
    }

    private static async Task<int> CountAsync(ClientMachine client, string dataset) =>
        (await client.SnapshotsOfAsync($"{client.Area}/{dataset}")).Count(name =>
            name.Contains('@', StringComparison.Ordinal)
        );
}
