using System.Text;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>
/// A restore that fails keeps what it received, whatever the failure is, and the same command resumes. Only what is
/// proven useless is removed. On the stand-in for <c>zfs</c>; see also <see cref="KeptRestoreOnZfsTests"/>.
/// </summary>
public sealed class KeptRestoreTests
{
    private const int Mebibyte = 1024 * 1024;

    [Theory]
    [InlineData("destination tank/x space quota exceeded.", 10)]
    [InlineData("out of space", 10)]
    [InlineData("pool I/O is currently suspended", 6)]
    [InlineData("a message that nobody has seen before", 6)]
    public async Task A_receive_that_ZFS_ends_in_its_middle_is_kept_and_resumed(string words, int exitCode)
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        var faulty = await lab.Client.WrapZfsAsync(
            $"'receive -s '*) head -c 8000000 | \"$zfs\" \"$@\" 2>/dev/null; echo 'cannot receive: {words}' >&2; exit 1"
        );

        var failed = await lab.Client.RunAsync($"{faulty} zfs-restore latest {lab.Target}");

        Assert.Equal(exitCode, failed.ExitCode);
        AssertKept(lab, failed);
        var resumed = (await lab.FinishAsync()).GetProperty("resumed");
        Assert.InRange(resumed.GetProperty("stream_bytes").GetInt64(), 6 * Mebibyte, 8 * Mebibyte);
        await lab.AssertRestoredAsync();
        await lab.AssertNoMarksAsync();
    }

    [Theory]
    [InlineData("'set '")]
    [InlineData("'rename '")]
    [InlineData("'inherit com.sun:auto-snapshot '")]
    [InlineData("'receive -s -u '[!-]")]
    public async Task Whatever_command_fails_between_two_backups_or_at_the_end_what_was_received_stays(string command)
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        await lab.AddIncrementalAsync();
        var faulty = await lab.Client.WrapZfsAsync($"{command}*) echo 'cannot: internal error' >&2; exit 1");

        var failed = await lab.Client.RunAsync($"{faulty} zfs-restore latest {lab.Target}");

        Assert.Equal(6, failed.ExitCode);
        AssertKept(lab, failed);
        Assert.Equal(JsonValueKind.Object, (await lab.FinishAsync()).GetProperty("resumed").ValueKind);
        await lab.AssertRestoredAsync();
        await lab.AssertNoMarksAsync();
    }

    [Theory]
    [InlineData("receive -s -u", 1)]
    [InlineData("rename", 0)]
    public async Task What_is_busy_for_a_moment_is_tried_again_and_said_once(string command, int retriesSaid)
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        await lab.AddIncrementalAsync();
        var faulty = await lab.Client.WrapZfsAsync(
            $"'{command} '*) if [ $(cat {lab.Client.Folder}/busy 2>/dev/null | wc -l) -lt 2 ]; then "
                + $"echo >> {lab.Client.Folder}/busy; echo 'cannot receive: dataset is busy' >&2; exit 1; fi; "
                + "exec \"$zfs\" \"$@\""
        );

        var restore = (await lab.Client.RunAsync($"{faulty} zfs-restore latest {lab.Target}")).MustSucceed();

        var lines = restore.Error.Split('\n');
        Assert.Single(lines, line => line.StartsWith("Restoring 1 of 2: ", StringComparison.Ordinal));
        Assert.Single(lines, line => line.StartsWith("Restoring 2 of 2: ", StringComparison.Ordinal));
        Assert.Equal(
            retriesSaid,
            lines.Count(line => line == "Retrying 1 of 2, which ZFS refused: cannot receive: dataset is busy")
        );
        Assert.Equal(2, File.ReadAllLines(Path.Combine(lab.Client.Folder, "busy")).Length);
        await lab.AssertRestoredAsync();
        await lab.AssertNoMarksAsync();
    }

    [Fact]
    public async Task A_damaged_backup_leaves_all_that_was_received_and_the_complete_ones_finish_the_restore()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        await lab.AddIncrementalAsync();
        var first = (await lab.Client.ListBackupsAsync())[1];
        Damage(NewestObject(lab));

        var failed = await lab.Client.RunAsync($"zfs-restore latest {lab.Target}");

        Assert.Equal(7, failed.ExitCode);
        Assert.Contains(
            $"zfs-restore restore {first.GetProperty("snapshot_id").GetString()} {lab.Target}'",
            failed.Error,
            StringComparison.Ordinal
        );
        Assert.Single(await lab.Client.SnapshotsOfAsync(lab.Partial));
        await lab.WaitForTokenAsync();
        var finished = await lab.Client.JsonAsync($"zfs-restore restore 2 {lab.Target}");
        Assert.Equal(JsonValueKind.Object, finished.GetProperty("resumed").ValueKind);
        Assert.Equal(
            first.GetProperty("snapshot_guid").ToString(),
            await lab.Client.GuidOfAsync(Assert.Single(await lab.Client.SnapshotsOfAsync(lab.Target)))
        );
        await lab.AssertNoTracesAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_received_of_a_backup_that_is_damaged_or_missing_on_the_server_stays_until_it_is_back(
        bool isMissing
    )
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        using var restore = await lab.InterruptAsync("KILL");
        var stored = NewestObject(lab);
        var backup = File.ReadAllBytes(stored.FullName);
        if (isMissing)
            stored.Delete();
        else
            Damage(stored, (long)(stored.Length * 0.9));

        var failed = await lab.Client.RunAsync($"zfs-restore latest {lab.Target}");

        Assert.Equal(7, failed.ExitCode);
        AssertKept(lab, failed);
        await lab.WaitForTokenAsync();
        await File.WriteAllBytesAsync(stored.FullName, backup, TestContext.Current.CancellationToken);
        var resumed = (await lab.FinishAsync()).GetProperty("resumed");
        Assert.InRange(resumed.GetProperty("stream_bytes").GetInt64(), Mebibyte, long.MaxValue);
        await lab.AssertRestoredAsync();
        await lab.AssertNoMarksAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData("--force")]
    public async Task A_restore_that_is_killed_when_it_is_complete_leaves_no_mark_behind_the_next_run(string force)
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        var killed = await lab.Client.WrapZfsAsync("'rename '*) \"$zfs\" \"$@\"; kill -9 $PPID; exit 1");
        await lab.Client.RunAsync($"{killed} zfs-restore latest {lab.Target} {force}");
        var guid = await lab.Client.ShellAsync($"zfs get -H -o value guid {lab.Target}");

        var refused = await lab.Client.RunAsync($"zfs-client backup --dataset {lab.Target}");
        var next = await lab.FinishAsync(force);

        Assert.Equal(9, refused.ExitCode);
        Assert.Contains(
            $"zfs inherit zfs-snapshot-manager:restore '{lab.Target}'",
            refused.Error,
            StringComparison.Ordinal
        );
        Assert.Equal(JsonValueKind.Object, next.GetProperty("resumed").ValueKind);
        await lab.AssertNoMarksAsync();
        Assert.Equal(guid, await lab.Client.ShellAsync($"zfs get -H -o value guid {lab.Target}"));
        await lab.AssertRestoredAsync();
    }

    [Fact]
    public async Task A_finished_restore_does_not_need_the_server_again_unless_properties_are_asked_for()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        await lab.SetAsync("RETRY_TIME=0");
        var alone = await lab.Client.WrapZfsAsync(
            $"'receive '*) \"$zfs\" \"$@\"; rc=$?; kill -9 {lab.Server.ProcessId}; exit $rc"
        );

        (await lab.Client.RunAsync($"{alone} zfs-restore latest {lab.Target}")).MustSucceed();

        await lab.AssertNoMarksAsync();
        await lab.AssertRestoredAsync();
    }

    [Fact]
    public async Task A_connection_to_the_machine_with_ZFS_that_breaks_while_it_receives_is_made_again()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        var folder = Directory.CreateDirectory($"{lab.Client.Folder}/ssh").FullName;
        await File.WriteAllTextAsync(
            $"{folder}/ssh",
            $$"""
            #!/bin/bash
            while [ "$1" != -- ]; do shift; done
            shift 2
            case "$*" in
              *' receive -s '*)
                if [ ! -e {{folder}}/broken ]; then
                  touch {{folder}}/broken
                  head -c 8000000 | sh -c "$*" 2>/dev/null
                  echo 'Connection to box closed by remote host.' >&2
                  exit 255
                fi ;;
            esac
            exec sh -c "$*"

            """,
            TestContext.Current.CancellationToken
        );
        File.SetUnixFileMode($"{folder}/ssh", UnixFileMode.UserRead | UnixFileMode.UserExecute);

        var restored = await lab.Client.RunAsync(
            $"ZFS_SSH_HOST=box PATH={folder}:$PATH zfs-restore latest {lab.Target}"
        );

        Assert.Contains("ssh to box failed", restored.MustSucceed().Error, StringComparison.Ordinal);
        Assert.True(File.Exists($"{folder}/broken"));
        await lab.AssertRestoredAsync();
    }

    [Fact]
    public async Task What_a_restore_of_another_dataset_received_is_not_removed_without_restart()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        await lab.Client.ShellAsync($"zfs create {lab.Client.Area}/other");
        await lab.Client.WriteAsync("other", ("file", 3 << 20));
        await lab.Client.JsonAsync($"zfs-client backup --dataset {lab.Client.Area}/other");
        using var restore = await lab.InterruptAsync("KILL", $"--source {lab.Source}");
        var other = $"zfs-restore latest {lab.Target} --source {lab.Client.Area}/other";

        var refused = await lab.Client.RunAsync(other);

        Assert.Equal(9, refused.ExitCode);
        Assert.Contains($"it was receiving {lab.Source}@", refused.Error, StringComparison.Ordinal);
        Assert.Contains("To finish that one: 'zfs-restore restore ", refused.Error, StringComparison.Ordinal);
        var resumed = (await lab.FinishAsync($"--source {lab.Source}")).GetProperty("resumed");
        Assert.InRange(resumed.GetProperty("stream_bytes").GetInt64(), Mebibyte, long.MaxValue);
        await lab.AssertRestoredAsync();
        await lab.UndoAsync();
        using var again = await lab.InterruptAsync("KILL", $"--source {lab.Source}");
        (await lab.Client.RunAsync($"{other} --restart")).MustSucceed();
        await lab.AssertNoTracesAsync();
    }

    [Fact]
    public async Task Another_programs_snapshots_do_not_stop_a_restore_while_it_runs()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        await lab.AddIncrementalAsync();
        await lab.AddIncrementalAsync();
        using var tool = lab.Client.Start(
            $"while [ ! -e {lab.Client.Folder}/stop ]; do zfs snapshot {lab.Partial}@auto$(date +%s%N) 2>/dev/null; "
                + "sleep 0.05; done"
        );

        var restore = await lab.Client.RunAsync($"zfs-restore latest {lab.Target}");
        await lab.Client.ShellAsync($"touch {lab.Client.Folder}/stop");
        await tool.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Contains("another program made", restore.MustSucceed().Error, StringComparison.Ordinal);
        // One that was made between the last check and the rename is the restored dataset's own.
        var snapshots = await lab.Client.SnapshotsOfAsync(lab.Target);
        foreach (var late in snapshots.Where(name => name.Contains("@auto", StringComparison.Ordinal)))
            await lab.Client.ShellAsync($"zfs destroy {late}");
        await lab.AssertRestoredAsync();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Another_programs_snapshots_do_not_make_an_interrupted_restore_start_over(int complete)
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        await lab.AddIncrementalAsync();
        var stopped = await lab.Client.WrapZfsAsync(
            complete == 1
                ? "'receive -s -u '[!-]*) head -c 4000000 | \"$zfs\" \"$@\" 2>/dev/null; kill -9 $PPID; exit 1"
                : "'rename '*) kill -9 $PPID; exit 1"
        );
        await lab.Client.RunAsync($"{stopped} zfs-restore latest {lab.Target}");
        Assert.Equal(complete, (await lab.Client.SnapshotsOfAsync(lab.Partial)).Length);
        await lab.Client.ShellAsync($"zfs snapshot {lab.Partial}@hourly-1; zfs snapshot {lab.Partial}@hourly-2");

        var next = await lab.Client.RunAsync($"zfs-restore latest {lab.Target}");

        Assert.Contains($"Destroying {lab.Partial}@hourly-1", next.MustSucceed().Error, StringComparison.Ordinal);
        Assert.Contains("Resuming the interrupted restore", next.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Restoring 1 of 2", next.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Removing", next.Error, StringComparison.Ordinal);
        if (complete == 1)
            Assert.Matches("Resuming the interrupted restore: .* MB of .* already received", next.Error);
        await lab.AssertRestoredAsync();
        await lab.AssertNoMarksAsync();
    }

    [Fact]
    public async Task A_chain_is_not_rotated_away_during_its_restore()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        await lab.AddIncrementalAsync();
        var before = await lab.Client.ListBackupsAsync();
        var old = before[0].GetProperty("snapshot_id").GetString();
        (await lab.Client.RunAsync("zfs-client backup-full")).MustSucceed();
        var rotating = await lab.Client.WrapZfsAsync(
            "'receive -s -u '*) \"$zfs\" \"$@\"; code=$?; KEEP_HOURLY=1 KEEP_DAILY=1 KEEP_WEEKLY=1 KEEP_MONTHLY=1 "
                + "zfs-client rotate-remote >/dev/null 2>&1; exit $code"
        );

        (await lab.Client.RunAsync($"{rotating} zfs-restore restore {old} {lab.Target}")).MustSucceed();

        await lab.AssertNoTracesAsync();
        Assert.Equal(before.Length + 1, (await lab.Client.ListBackupsAsync()).Length);
        var plan = (await lab.Client.RunAsync("zfs-client rotate-remote --dry-run")).MustSucceed();
        Assert.Contains("is being read", plan.Output, StringComparison.Ordinal);
    }

    /// <summary>After a long pause of the restore, or with a catalogue that was put back.</summary>
    [Fact]
    public async Task A_backup_that_is_no_longer_listed_during_its_restore_is_named_and_what_came_stays()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        await lab.AddIncrementalAsync();
        var old = (await lab.Client.ListBackupsAsync())[0].GetProperty("snapshot_id").GetString()!;
        (await lab.Client.RunAsync("zfs-client backup-full")).MustSucceed();
        var received = Path.Combine(lab.Client.Folder, "received");
        var gone = Path.Combine(lab.Client.Folder, "gone");
        var waiting = await lab.Client.WrapZfsAsync(
            $"'receive -s -u '*) \"$zfs\" \"$@\"; code=$?; touch {received}; until [ -e {gone} ]; do "
                + "sleep 0.1; done; exit $code"
        );

        var restoring = lab.Client.RunAsync($"{waiting} zfs-restore restore {old} {lab.Target}");
        await Patience.UntilAsync("the full backup is received", () => File.Exists(received));
        Forget(lab.Server, old);
        await File.WriteAllTextAsync(gone, "", TestContext.Current.CancellationToken);
        var failed = await restoring;

        Assert.Equal(8, failed.ExitCode);
        Assert.Contains("does not exist", failed.Error, StringComparison.Ordinal);
        Assert.Contains("'zfs-restore list' shows the", failed.Error, StringComparison.Ordinal);
        Assert.Contains($"is kept in {lab.Partial}. To discard it", failed.Error, StringComparison.Ordinal);
        Assert.Single(await lab.Client.SnapshotsOfAsync(lab.Partial));
        (await lab.Client.RunAsync($"zfs-restore latest {lab.Target} --restart")).MustSucceed();
        await lab.AssertNoTracesAsync();
    }

    [Fact]
    public async Task A_snapshot_name_that_becomes_too_long_is_found_before_anything_is_received()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        var target = $"{lab.Client.Area}/{new string('n', 205)}";

        var refused = await lab.Client.RunAsync($"zfs-restore latest {target}");

        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("longer than 255", refused.Error, StringComparison.Ordinal);
        Assert.Contains("Nothing was received", refused.Error, StringComparison.Ordinal);
        await lab.AssertNoTracesAsync();
    }

    [Fact]
    public async Task Automatic_snapshots_are_switched_off_only_while_it_is_received()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        using var restore = await lab.InterruptAsync("KILL");
        var get = "zfs get -H -o value,source com.sun:auto-snapshot";

        Assert.Equal("false\tlocal", await lab.Client.ShellAsync($"{get} {lab.Partial}"));
        await lab.FinishAsync();
        Assert.Equal("-\t-", await lab.Client.ShellAsync($"{get} {lab.Target}"));
    }

    private static void AssertKept(RestoreLab lab, CommandResult failed)
    {
        Assert.Contains($"What was received is kept in {lab.Partial}", failed.Error, StringComparison.Ordinal);
        Assert.Contains("run the same command again to resume", failed.Error, StringComparison.Ordinal);
        Assert.Contains("--restart", failed.Error, StringComparison.Ordinal);
    }

    private static FileInfo NewestObject(RestoreLab lab) =>
        new DirectoryInfo(Path.Combine(lab.Server.DataFolder, "objects"))
            .EnumerateFiles("*.zfs.gz", SearchOption.AllDirectories)
            .MaxBy(file => file.LastWriteTimeUtc)!;

    private static void Damage(FileInfo stored) => Damage(stored, stored.Length / 2);

    private static void Damage(FileInfo stored, long offset)
    {
        using var file = stored.Open(FileMode.Open, FileAccess.ReadWrite);
        file.Position = offset;
        var value = file.ReadByte();
        file.Position--;
        file.WriteByte((byte)(value ^ 1));
    }

    /// <summary>Takes a backup off the server's list.</summary>
    private static void Forget(ServerProcess server, string snapshotId)
    {
        using var connection = new SqliteConnection(
            $"Data Source={Path.Combine(server.DataFolder, "metadata.db")};Pooling=False"
        );
        connection.Open();
        using var delete = connection.CreateCommand();
        delete.CommandText = "DELETE FROM backups WHERE snapshot_id = @id";
        delete.Parameters.AddWithValue("@id", snapshotId);
        Assert.Equal(1, delete.ExecuteNonQuery());
    }
}
