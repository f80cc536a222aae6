using System.Diagnostics;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>
/// Whatever is killed in the middle of a backup: nothing is listed that does not restore, nothing half-made is taken
/// for whole, and the next run just works. On the stand-in for <c>zfs</c>; see also <see cref="ResumedBackupTests"/>
/// and <see cref="InterruptedBackupOnZfsTests"/>.
/// </summary>
public sealed class InterruptedBackupTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private const long Half = 2_000_000;

    [Fact]
    public async Task A_killed_zfs_send_ends_the_backup_and_the_next_run_resumes()
    {
        var host = new StandInHost();
        await using var lab = await BackupLab.CreateSlowAsync(host, 1);
        var (server, client) = (lab.Server, lab.Client);
        await client.WriteAsync("data", ("more", 30 << 20)); // more than the client takes into memory
        host.LimitSend(24 << 20);
        using var backup = client.Start("exec zfs-client backup");
        await WaitForHalfAsync(server, backup);

        await client.KillAsync("zfs");

        var error = await backup.StandardError.ReadToEndAsync(Token);
        await backup.WaitForExitAsync(Token);
        Assert.Equal(6, backup.ExitCode);
        Assert.Contains("zfs send", error, StringComparison.Ordinal);
        Assert.Contains("the next run resumes from there", error, StringComparison.Ordinal);
        host.LimitSend(null);
        await lab.SetAsync();
        var next = await client.JsonAsync("zfs-client backup-full");
        Assert.InRange(next.GetProperty("resumed").GetProperty("from_bytes").GetInt64(), 1 << 20, 38 << 20);
        await lab.AssertLatestRestoresAsync(next.GetProperty("snapshot").GetString()!);
    }

    [Fact]
    public async Task A_zfs_send_that_is_killed_before_anything_is_stored_fails_the_backup_and_leaves_nothing()
    {
        var host = new StandInHost();
        await using var lab = await BackupLab.CreateSlowAsync(host, 1);
        var client = lab.Client;
        host.LimitSend(500_000); // less than a part
        using var backup = client.Start("exec zfs-client backup");
        await Patience.UntilAsync("the client sends", () =>
            StandInHost
                .FindProcesses("zfs", client.Folder)
                .Any(id => File.ReadAllText($"/proc/{id}/cmdline").Contains("send\0-L", StringComparison.Ordinal))
        );

        await client.KillAsync("zfs");

        var error = await backup.StandardError.ReadToEndAsync(Token);
        await backup.WaitForExitAsync(Token);
        Assert.Equal(6, backup.ExitCode);
        Assert.Contains("zfs send", error, StringComparison.Ordinal);
        host.LimitSend(null);
        Assert.Empty(await client.SnapshotsOfAsync($"{client.Area}/data"));
        await lab.AssertNothingStoredAsync();
        await lab.AssertNextBackupRestoresAsync();
    }

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public async Task A_client_that_is_told_to_stop_before_anything_is_stored_cleans_up(string signal, int exitCode)
    {
        await using var lab = await BackupLab.CreateSlowAsync(new StandInHost(), BackupLab.OneBody);
        await lab.RunStoppedAsync(signal, exitCode);
    }

    [Fact]
    public async Task A_client_that_is_killed_before_anything_is_stored_leaves_a_snapshot_that_the_next_run_removes()
    {
        await using var lab = await BackupLab.CreateSlowAsync(new StandInHost(), BackupLab.OneBody);
        var (server, client) = (lab.Server, lab.Client);
        using var backup = client.Start("exec zfs-client backup");
        await lab.WaitForBodyAsync(backup);

        await client.KillAsync("zfs-client");

        await backup.WaitForExitAsync(Token);
        var leftover = Assert.Single(await client.GuidsOfAsync($"{client.Area}/data"));
        await Patience.UntilAsync("the server has dropped the half stream", () =>
            !server.StoredFiles().Any(file => file.StartsWith("incoming", StringComparison.Ordinal))
        );
        await lab.AssertNothingStoredAsync();
        await lab.AssertNextBackupRestoresAsync();
        Assert.DoesNotContain(leftover, await client.GuidsOfAsync($"{client.Area}/data"));
    }

    [Fact]
    public async Task A_server_that_is_killed_twice_and_comes_back_delays_the_backup_and_no_more()
    {
        await using var lab = await BackupLab.CreateSlowAsync(new StandInHost(), 1);
        var (server, client) = (lab.Server, lab.Client);
        using var backup = client.Start("exec zfs-client backup");
        await WaitForHalfAsync(server, backup);

        await server.KillAsync();
        await server.StartAgainAsync();
        await WaitForAsync(server, backup, 3 * Half);
        await server.KillAsync();
        await Task.Delay(TimeSpan.FromSeconds(2), Token);
        await server.StartAgainAsync();

        var error = await backup.StandardError.ReadToEndAsync(Token);
        await backup.WaitForExitAsync(Token);
        Assert.True(backup.ExitCode == 0, error);
        var snapshot = Assert.Single(await client.SnapshotsOfAsync($"{client.Area}/data"), name =>
            name.Contains('@', StringComparison.Ordinal)
        );
        await lab.AssertLatestRestoresAsync(snapshot);
    }

    [Fact]
    public async Task A_server_that_stays_away_ends_the_backup_before_anything_is_stored()
    {
        await using var lab = await BackupLab.CreateSlowAsync(new StandInHost(), BackupLab.OneBody, "RETRY_TIME=1");
        var (server, client) = (lab.Server, lab.Client);
        using var backup = client.Start("exec zfs-client backup");
        await lab.WaitForBodyAsync(backup);

        await server.KillAsync();

        await backup.WaitForExitAsync(Token);
        Assert.Equal(4, backup.ExitCode);
        await server.StartAgainAsync();
        await lab.AssertNothingStoredAsync();
        await lab.AssertNextBackupRestoresAsync();
        Assert.Equal(2, (await client.SnapshotsOfAsync($"{client.Area}/data")).Length); // the snapshot and its bookmark
    }

    [Fact]
    public async Task A_commit_whose_answer_was_lost_is_found_by_the_next_run()
    {
        await using var lab = await BackupLab.CreateSlowAsync(new StandInHost(), BackupLab.OneBody);
        var client = lab.Client;
        var committed = await client.JsonAsync("zfs-client backup");
        var snapshot = committed.GetProperty("snapshot").GetString()!;

        // What a client of an earlier version leaves that was killed between the server's commit and its own notes.
        await client.ShellAsync(
            $"zfs destroy '{await client.BookmarkOfAsync(snapshot)}' && zfs set zfs-snapshot-manager:upload=pending "
                + $"'{snapshot}' && zfs hold zsm-upload '{snapshot}'"
        );
        var next = await client.JsonAsync("zfs-client backup");

        Assert.Equal("incremental", next.GetProperty("kind").GetString());
        Assert.Contains(await client.BookmarkOfAsync(snapshot), await client.SnapshotsOfAsync($"{client.Area}/data"));
        Assert.Equal("", await client.ShellAsync($"zfs holds -H '{snapshot}'"));
        Assert.StartsWith(
            "committed:",
            await client.ShellAsync($"zfs get -H -o value zfs-snapshot-manager:upload '{snapshot}'"),
            StringComparison.Ordinal
        );
        await lab.AssertLatestRestoresAsync(next.GetProperty("snapshot").GetString()!);
    }

    [Fact]
    public async Task Two_backups_of_one_dataset_do_not_run_at_once()
    {
        await using var lab = await BackupLab.CreateSlowAsync(new StandInHost(), BackupLab.OneBody);
        var client = lab.Client;
        using var backup = client.Start("exec zfs-client backup");
        await lab.WaitForBodyAsync(backup);

        var second = await client.RunAsync("zfs-client backup");

        Assert.Equal(9, second.ExitCode);
        Assert.Contains("Another zfs-client", second.Error, StringComparison.Ordinal);
        await backup.WaitForExitAsync(Token);
        Assert.Equal(0, backup.ExitCode);
        Assert.Single(await client.ListBackupsAsync());
    }

    private static Task WaitForHalfAsync(ServerProcess server, Process backup) => WaitForAsync(server, backup, Half);

    private static Task WaitForAsync(ServerProcess server, Process backup, long bytes) =>
        Patience.UntilAsync($"{bytes} bytes of the stream are on the server", () =>
        {
            Assert.False(backup.HasExited, "the backup ended before it could be interrupted");
            return Directory
                .EnumerateFiles(Path.Combine(server.DataFolder, "incoming"))
                .Any(file => new FileInfo(file).Length > bytes);
        });
}
