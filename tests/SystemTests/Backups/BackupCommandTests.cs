using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>How the client's commands behave towards their user; on the stand-in for <c>zfs</c>.</summary>
public sealed class BackupCommandTests
{
    [Fact]
    public async Task An_incremental_without_a_base_fails_and_says_what_to_do()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");

        var result = await client.RunAsync("zfs-client backup-incremental");

        Assert.Equal(9, result.ExitCode);
        Assert.Contains("zfs-client backup-full", result.Error, StringComparison.Ordinal);
        Assert.Empty(await client.SnapshotsOfAsync($"{client.Area}/data"));
    }

    [Fact]
    public async Task A_dry_run_says_what_would_happen_and_changes_nothing()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");

        var planned = await client.JsonAsync("zfs-client backup --dry-run");

        Assert.True(planned.GetProperty("dry_run").GetBoolean());
        Assert.Equal("full", planned.GetProperty("kind").GetString());
        Assert.Empty(await client.SnapshotsOfAsync($"{client.Area}/data"));
        Assert.Empty(server.StoredFiles());
    }

    [Fact]
    public async Task A_base_that_only_this_side_has_is_not_used()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        await client.ShellAsync(
            $"zfs snapshot {client.Area}/data@foreign && zfs bookmark {client.Area}/data@foreign "
                + $"{client.Area}/data#foreign"
        );

        var backup = await client.JsonAsync("zfs-client backup");

        Assert.Equal("full", backup.GetProperty("kind").GetString());
        Assert.Contains($"{client.Area}/data@foreign", await client.SnapshotsOfAsync($"{client.Area}/data"));
    }

    [Fact]
    public async Task A_renamed_dataset_continues_its_chain()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        await client.WriteAsync("data", ("file", 4));
        await client.JsonAsync("zfs-client backup");
        await client.ShellAsync($"zfs rename {client.Area}/data {client.Area}/moved");
        await client.WriteAsync("moved", ("file", 4));

        var backup = await client.JsonAsync($"zfs-client backup --dataset {client.Area}/moved");

        Assert.Equal("incremental", backup.GetProperty("kind").GetString());
        await client.JsonAsync($"zfs-restore latest {client.Area}/restored --source {client.Area}/moved");
        await client.AssertSameAsync(backup.GetProperty("snapshot").GetString()!, $"{client.Area}/restored");
    }

    [Fact]
    public async Task A_dataset_that_does_not_exist_is_named_in_ZFS_own_words()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");

        var result = await client.RunAsync($"zfs-client backup --dataset {client.Area}/nothing");

        Assert.Equal(6, result.ExitCode);
        Assert.Contains("dataset does not exist", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_not_there_fails_before_a_snapshot_is_made()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        await server.KillAsync();

        var result = await client.RunAsync("RETRY_TIME=1 zfs-client backup");

        Assert.Equal(4, result.ExitCode);
        Assert.Contains("SERVER_URL", result.Error, StringComparison.Ordinal);
        Assert.Empty(await client.SnapshotsOfAsync($"{client.Area}/data"));
    }

    [Fact]
    public async Task Bookmarks_and_status_show_what_a_backup_made()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        var backup = await client.JsonAsync("zfs-client backup");
        var snapshot = backup.GetProperty("snapshot").GetString()!;

        var bookmark = await client.JsonAsync("zfs-client bookmarks");
        var status = await client.JsonAsync("zfs-client status");

        Assert.Equal(await client.BookmarkOfAsync(snapshot), bookmark.GetProperty("bookmark").GetString());
        Assert.Equal(await client.GuidOfAsync(snapshot), bookmark.GetProperty("guid").GetString());
        Assert.Equal(1, status.GetProperty("snapshot_count").GetInt32());
        Assert.Equal(
            backup.GetProperty("backup").GetProperty("size_bytes").GetInt64(),
            status.GetProperty("used_bytes").GetInt64()
        );
        Assert.Contains(
            snapshot.Replace('@', '#'),
            (await client.RunAsync("zfs-client bookmarks")).Output,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task The_key_is_in_no_output_and_no_process_list()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        await client.WriteAsync("data", ("large", 20 << 20));

        // Five seconds: also a busy machine lists its processes once meanwhile.
        using var backup = client.Start("BANDWIDTH_LIMIT=4M exec zfs-client backup");
        var processes = "";
        while (!backup.HasExited)
            processes += (await client.Host.RunAsync("ps -ef")).Output;
        var outputs =
            processes
            + await backup.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken)
            + await backup.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);

        Assert.Contains("zfs send", outputs, StringComparison.Ordinal);
        Assert.DoesNotContain(client.Key, outputs, StringComparison.Ordinal);
        Assert.DoesNotContain(client.Key, server.Log, StringComparison.Ordinal);
    }
}
