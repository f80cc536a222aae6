using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>
/// What happens to datasets between two backups, and during one: they are renamed, replaced, replicated into, restored
/// elsewhere. What only real ZFS does is in <see cref="Datasets.DatasetHistoryOnZfsTests"/>.
/// </summary>
public sealed class DatasetHistoryTests
{
    /// <summary>As when its pool is exported: the backup is complete, and its snapshot has another name.</summary>
    [Fact]
    public async Task A_dataset_that_is_renamed_while_it_is_sent_is_backed_up_and_lacks_only_its_marks()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost());
        var moved = $"{lab.Client.Area}/moved";
        using var backup = await lab.BeginAsync();
        await lab.Client.ShellAsync($"zfs rename {lab.Dataset} {moved}");
        ((StandInHost)lab.Client.Host).LimitSend(null);

        var error = await lab.EndAsync(backup, 6);

        Assert.Contains("is backed up: the server has verified and stored it", error, StringComparison.Ordinal);
        Assert.Contains("Only its bookmark and mark could not be set", error, StringComparison.Ordinal);
        Assert.Single(await lab.Client.ListBackupsAsync());
        var next = await lab.Client.RunAsync($"zfs-client backup --dataset {moved}");
        Assert.Contains("is already on the server", next.MustSucceed().Error, StringComparison.Ordinal);
        Assert.Contains(": incremental from ", next.Output, StringComparison.Ordinal);
        var snapshots = (await lab.Client.SnapshotsOfAsync(moved)).Where(name =>
            name.Contains('@', StringComparison.Ordinal)
        );
        Assert.Equal("", await lab.Client.ShellAsync($"zfs holds -H {string.Join(' ', snapshots)}"));
    }

    [Fact]
    public async Task Without_the_snapshot_and_bookmark_of_the_last_backup_the_one_before_is_the_base()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        var first = await BackUpAsync(client, "data");
        var second = await BackUpAsync(client, "data");
        var bookmark = await client.BookmarkOfAsync(second.Snapshot);
        await client.ShellAsync($"zfs destroy {second.Snapshot} && zfs destroy {bookmark}");

        var third = await BackUpAsync(client, "data");

        Assert.Equal(first.Snapshot, third.Base);
        await AssertRestoresAsync(client, third.Snapshot, $"{client.Area}/data");
    }

    /// <summary>Names and machine are the same; the pool is not.</summary>
    [Fact]
    public async Task A_pool_that_was_replaced_by_one_of_the_same_name_begins_with_a_full_backup()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        var old = await BackUpAsync(client, "data");
        // Two backups of one second have one name.
        var oldId = Assert.Single(await client.ListBackupsAsync()).GetProperty("snapshot_id").GetString();
        var pool = new StandInHost();
        await pool.OutputAsync($"zfs create -p {client.Area}/data && zfs stand-in write {client.Area}/data file 5");

        var full = await RunAsync("zfs-client backup");
        var incremental = await RunAsync("zfs-client backup");
        await RunAsync($"zfs-restore latest {client.Area}/newest --source {client.Area}/data");
        await RunAsync($"zfs-restore restore {oldId} {client.Area}/older");

        Assert.Equal("full", full.GetProperty("kind").GetString());
        Assert.Equal("incremental", incremental.GetProperty("kind").GetString());
        Assert.NotEqual("", await pool.OutputAsync($"zfs list -H -r -t snapshot -o name {client.Area}/newest"));
        Assert.Equal(
            await client.TreeOfAsync(old.Snapshot),
            await pool.OutputAsync($"zfs stand-in describe {client.Area}/older@{old.Snapshot.Split('@')[1]}")
        );

        async Task<JsonElement> RunAsync(string line) =>
            Assert.Single(
                CommandJson.Results((await pool.RunAsync($"cd {client.Folder} && {line} --json")).MustSucceed().Output)
            );
    }

    [Fact]
    public async Task What_was_restored_to_another_pool_continues_the_chain_there()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        var sent = await BackUpAsync(client, "data");
        await client.ShellAsync("zfs stand-in add-pool other");
        await client.JsonAsync($"zfs-restore latest other/data --source {client.Area}/data");
        await client.ShellAsync("zfs stand-in write other/data more 5000");

        var next = await client.JsonAsync("zfs-client backup --dataset other/data");

        Assert.Equal($"other/data@{sent.Snapshot.Split('@')[1]}", next.GetProperty("base").GetString());
        await AssertRestoresAsync(client, next.GetProperty("snapshot").GetString()!, "other/data");
    }

    /// <summary><c>zfs receive -F</c> destroys the snapshots of the backups; their bookmarks stay.</summary>
    [Fact]
    public async Task The_target_of_a_replication_continues_from_its_bookmark()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        var (data, copy) = ($"{client.Area}/data", $"{client.Area}/copy");
        await client.WriteAsync("data", ("file", 5000));
        await client.ShellAsync($"zfs snapshot {data}@r1 && zfs send {data}@r1 | zfs receive -s -u {copy}@r1");
        var first = await client.JsonAsync($"zfs-client backup --dataset {copy}");
        await client.WriteAsync("data", ("more", 5000));
        await client.ShellAsync(
            $"zfs snapshot {data}@r2 && zfs send -i {data}@r1 {data}@r2 | zfs receive -s -u -F {copy}@r2"
        );
        Assert.DoesNotContain(first.GetProperty("snapshot").GetString(), await client.SnapshotsOfAsync(copy));

        var next = await client.JsonAsync($"zfs-client backup --dataset {copy}");

        Assert.Contains("copy#", next.GetProperty("base").GetString(), StringComparison.Ordinal);
        await AssertRestoresAsync(client, next.GetProperty("snapshot").GetString()!, copy);
    }

    [Fact]
    public async Task A_whole_pool_comes_back_below_another_one_and_continues_there()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "home", "home/ann");
        foreach (var dataset in (string[])["home", "home/ann"])
            await client.WriteAsync(dataset, ("file", 5000));
        var sent = await client.ResultsAsync("zfs-client backup --dataset tank --recursive");
        await client.ShellAsync("zfs stand-in add-pool new");

        var refused = await client.RunAsync("zfs-restore latest new --source tank --recursive --force");
        await client.ResultsAsync("zfs-restore latest new/root --source tank --recursive");
        var next = await client.ResultsAsync("zfs-client backup --dataset new/root --recursive");

        Assert.Equal(9, refused.ExitCode);
        Assert.Contains("new/", refused.Error, StringComparison.Ordinal);
        Assert.Equal(4, next.Length);
        Assert.All(next, backup => Assert.Equal("incremental", backup.GetProperty("kind").GetString()));
        foreach (var snapshot in sent.Select(backup => backup.GetProperty("snapshot").GetString()!))
            Assert.Equal(await client.TreeOfAsync(snapshot), await client.TreeOfAsync($"new/root{snapshot[4..]}"));
    }

    private static async Task<(string Snapshot, string? Base)> BackUpAsync(ClientMachine client, string dataset)
    {
        await client.WriteAsync(dataset, ("file", 5000));
        var backup = await client.JsonAsync($"zfs-client backup --dataset {client.Area}/{dataset}");
        return (
            backup.GetProperty("snapshot").GetString()!,
            backup.TryGetProperty("base", out var from) ? from.GetString() : null
        );
    }

    private static async Task AssertRestoresAsync(ClientMachine client, string snapshot, string source)
    {
        await client.JsonAsync($"zfs-restore latest {client.Area}/restored --source {source}");
        Assert.Equal(
            await client.TreeOfAsync(snapshot),
            await client.TreeOfAsync($"{client.Area}/restored@{snapshot.Split('@')[1]}")
        );
    }
}
