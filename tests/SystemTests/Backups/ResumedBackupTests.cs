using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>
/// A backup that was interrupted resumes where its last part ended; or, where it cannot, starts over and says why. On
/// the stand-in for <c>zfs</c>; see also <see cref="ResumedBackupOnZfsTests"/>.
/// </summary>
public sealed class ResumedBackupTests
{
    [Theory]
    [InlineData("KILL", 137)]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public async Task An_interrupted_backup_resumes_and_the_next_one_builds_on_it(string signal, int exitCode)
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost());
        await lab.RunInterruptedAsync(signal, exitCode);
    }

    [Fact]
    public async Task A_full_backup_that_is_resumed_is_the_full_backup_that_was_asked_for()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost());
        await lab.InterruptAsync("KILL", 137);

        var next = await lab.Client.JsonAsync("zfs-client backup-full");

        Assert.Equal("full", next.GetProperty("kind").GetString());
        Assert.Equal(
            next.GetProperty("snapshot").GetString(),
            next.GetProperty("resumed").GetProperty("snapshot").GetString()
        );
        await lab.AssertAllRestoreAsync(1);
    }

    [Fact]
    public async Task An_incremental_resumes_from_its_bookmark()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost());
        await lab.RunFromBookmarkAsync();
    }

    [Fact]
    public async Task What_was_begun_with_one_compression_is_finished_with_it()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost(), "COMPRESSION=zstd");
        await lab.InterruptAsync("KILL", 137);
        await lab.SetAsync("COMPRESSION=none", "UPLOAD_PARALLEL=1");

        var next = await lab.Client.JsonAsync("zfs-client backup");

        Assert.Equal("zstd", next.GetProperty("resumed").GetProperty("backup").GetProperty("compression").GetString());
        Assert.Equal("none", next.GetProperty("backup").GetProperty("compression").GetString());
        await lab.AssertAllRestoreAsync(2);
    }

    [Fact]
    public async Task A_server_that_stays_away_interrupts_the_backup_and_the_next_run_resumes()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost(), "RETRY_TIME=2");
        using var backup = await lab.BeginAsync();

        await lab.Server.KillAsync();
        ((StandInHost)lab.Client.Host).LimitSend(null); // there is more to send to the server that is away

        var error = await lab.EndAsync(backup, 4);
        Assert.Contains("the next run resumes from there", error, StringComparison.Ordinal);
        await lab.Server.StartAgainAsync();
        var next = await lab.Client.JsonAsync("zfs-client backup");
        Assert.True(next.GetProperty("resumed").GetProperty("from_bytes").GetInt64() > 0);
        await lab.AssertAllRestoreAsync(2);
    }

    [Fact]
    public async Task A_backup_whose_snapshot_is_gone_starts_over_and_says_so()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost());
        await lab.InterruptAsync("KILL", 137);
        var snapshot = Assert.Single(await lab.Client.SnapshotsOfAsync(lab.Dataset));
        await lab.Client.DestroyHeldAsync(snapshot);

        var next = await lab.Client.RunAsync("zfs-client backup");

        Assert.Equal(0, next.ExitCode);
        Assert.Contains(": its snapshot no longer exists", next.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await lab.Client.JsonAsync("zfs-client status")).GetProperty("open_uploads").GetInt32());
        await lab.AssertAllRestoreAsync(1);
    }

    [Fact]
    public async Task With_no_resume_it_starts_over()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost());
        await lab.InterruptAsync("KILL", 137);
        var interrupted = Assert.Single(await lab.Client.GuidsOfAsync(lab.Dataset));

        var next = await lab.Client.JsonAsync("zfs-client backup --no-resume");

        Assert.False(next.TryGetProperty("resumed", out _));
        Assert.Equal("full", next.GetProperty("kind").GetString());
        Assert.DoesNotContain(interrupted, await lab.Client.GuidsOfAsync(lab.Dataset));
        Assert.Equal(0, (await lab.Client.JsonAsync("zfs-client status")).GetProperty("open_uploads").GetInt32());
        await lab.AssertAllRestoreAsync(1);
    }

    [Fact]
    public async Task The_bandwidth_limit_holds()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost(), "BANDWIDTH_LIMIT=4M");
        var start = TimeProvider.System.GetTimestamp();

        var backup = await lab.Client.JsonAsync("zfs-client backup");

        var rate =
            backup.GetProperty("backup").GetProperty("size_bytes").GetInt64()
            / TimeProvider.System.GetElapsedTime(start).TotalSeconds;
        Assert.InRange(rate, 1e6, 4e6 * 1.05);
    }
}
