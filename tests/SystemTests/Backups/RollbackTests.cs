using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>After <c>zfs rollback</c> on the source.</summary>
public sealed class RollbackTests
{
    /// <summary>Backups of what was rolled back stay, as a branch of their own.</summary>
    [Fact]
    public async Task After_a_rollback_the_next_backup_is_incremental_and_both_branches_restore()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        List<string> snapshots = [];
        Dictionary<string, string> trees = new(StringComparer.Ordinal); // by GUID
        for (var round = 0; round < 3; round++)
            await BackUpAsync();
        var second = snapshots[1];
        var refused = await client.RunAsync($"zfs rollback {second}");
        Assert.Contains(await client.BookmarkOfAsync(snapshots[2]), refused.Error, StringComparison.Ordinal);

        await client.ShellAsync($"zfs rollback -r {second}");
        var branch = await BackUpAsync();
        var next = await BackUpAsync();
        (await client.RunAsync("KEEP_HOURLY=1 zfs-client rotate")).MustSucceed();

        Assert.Equal(second, branch.GetProperty("base").GetString());
        Assert.Equal(snapshots[3], next.GetProperty("base").GetString());
        (await client.RunAsync("zfs-restore verify all")).MustSucceed();
        var listed = await client.ListBackupsAsync();
        Assert.Equal(snapshots.Count, listed.Length);
        foreach (var backup in listed) // by ID: what the rollback destroyed may have the name of one made after it
        {
            var target = $"{client.Area}/restored";
            (await client.RunAsync($"zfs-restore restore {Text("snapshot_id")} {target} --force")).MustSucceed();
            Assert.Equal(trees[Text("snapshot_guid")], await client.TreeOfAsync($"{target}@{Text("snapshot_name")}"));

            string Text(string name) => backup.GetProperty(name).GetString()!;
        }

        async Task<JsonElement> BackUpAsync()
        {
            await client.WriteAsync("data", ("file", 4));
            var backup = await client.JsonAsync("zfs-client backup");
            var snapshot = backup.GetProperty("snapshot").GetString()!;
            snapshots.Add(snapshot);
            trees[await client.GuidOfAsync(snapshot)] = await client.TreeOfAsync(snapshot);
            return backup;
        }
    }

    /// <summary>ZFS does not roll a held snapshot back; once it is released and gone, its upload is dropped.</summary>
    [Fact]
    public async Task A_rollback_behind_an_interrupted_upload_works_once_its_snapshot_is_released()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost());
        var first = (await lab.Client.JsonAsync("zfs-client backup")).GetProperty("snapshot").GetString()!;
        await lab.ChangeAsync();
        await lab.InterruptAsync("KILL", 137);
        Assert.NotEqual(0, (await lab.Client.RunAsync($"zfs rollback -r {first}")).ExitCode);
        var held = (await lab.Client.SnapshotsOfAsync(lab.Dataset)).Single(name =>
            name.Contains('@', StringComparison.Ordinal) && name != first
        );
        await lab.Client.ShellAsync($"zfs release $(zfs holds -H {held} | cut -f 2) {held} && zfs rollback -r {first}");

        var next = await lab.Client.RunAsync("zfs-client backup");

        Assert.Contains($"incremental from {first}", next.MustSucceed().Output, StringComparison.Ordinal);
        Assert.Contains("its snapshot no longer exists", next.Error, StringComparison.Ordinal);
        await lab.AssertAllRestoreAsync(2);
    }
}
