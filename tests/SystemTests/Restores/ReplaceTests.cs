using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>
/// What <c>--force</c> replaces and destroys, and on what evidence. On the stand-in for <c>zfs</c>; see also
/// <see cref="RestoreTests"/>.
/// </summary>
public sealed class ReplaceTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_number_or_the_newest_of_another_dataset_is_not_enough()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        await client.ShellAsync($"zfs create {client.Area}/target");
        var guid = await client.ShellAsync($"zfs get -H -o value guid {client.Area}/target");

        foreach (var command in (string[])["restore 1", "latest"])
        {
            var refused = await client.RunAsync($"zfs-restore {command} {client.Area}/target --force");
            Assert.Equal(9, refused.ExitCode);
            Assert.Contains($"is a backup of {client.Area}/data", refused.Error, StringComparison.Ordinal);
        }

        Assert.Equal(guid, await client.ShellAsync($"zfs get -H -o value guid {client.Area}/target"));
    }

    [Fact]
    public async Task Force_refuses_to_destroy_what_nobody_asked_for()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        await client.ShellAsync(
            $"zfs create -p {client.Area}/parent/child && zfs create {client.Area}/origin && zfs snapshot "
                + $"{client.Area}/origin@s && zfs clone {client.Area}/origin@s {client.Area}/clone"
        );

        foreach (var target in (string[])[$"{client.Area}/parent", $"{client.Area}/origin", client.Host.Pool])
        {
            var refused = await client.RunAsync($"zfs-restore latest {target} --source {client.Area}/data --force");
            Assert.True(refused.ExitCode == 9, $"{target}: {refused.Text}");
        }

        await client.ShellAsync($"zfs list {client.Area}/parent/child {client.Area}/clone {client.Area}/origin@s");
        await AssertNoTracesAsync(client);
    }

    [Theory]
    [InlineData("restore ID TARGET")]
    [InlineData("restore SNAPSHOT TARGET")]
    [InlineData("latest TARGET --source SOURCE")]
    public async Task A_name_that_stays_is_enough(string command)
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        var backup = Assert.Single(await client.ListBackupsAsync());
        await client.ShellAsync($"zfs create {client.Area}/target && zfs snapshot {client.Area}/target@old");

        var line = command
            .Replace("ID", backup.GetProperty("snapshot_id").GetString(), StringComparison.Ordinal)
            .Replace(
                "SNAPSHOT",
                $"{client.Area}/data@{backup.GetProperty("snapshot_name").GetString()}",
                StringComparison.Ordinal
            )
            .Replace("SOURCE", $"{client.Area}/data", StringComparison.Ordinal)
            .Replace("TARGET", $"{client.Area}/target", StringComparison.Ordinal);
        var restored = (await client.RunAsync($"zfs-restore {line} --force")).MustSucceed();

        Assert.Contains(
            "the old one is destroyed, with 1 snapshot and 0 bookmarks",
            restored.Error,
            StringComparison.Ordinal
        );
        Assert.Equal(
            (await client.GuidsOfAsync($"{client.Area}/data")),
            await client.GuidsOfAsync($"{client.Area}/target")
        );
    }

    [Fact]
    public async Task The_dataset_of_the_same_name_is_replaced_by_its_number_and_keeps_its_place()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        var data = $"{client.Area}/data";
        await client.ShellAsync($"zfs set mountpoint=/srv/d\\ b {data} && zfs set canmount=on {data}");

        var restored = (await client.RunAsync($"zfs-restore restore 1 {data} --force")).MustSucceed();

        Assert.Contains("It is mounted at /srv/d b, as the dataset", restored.Output, StringComparison.Ordinal);
        Assert.Equal(
            "yes\t-\n/srv/d b\tlocal\non\tlocal",
            await client.ShellAsync($"zfs get -H -o value,source mounted,mountpoint,canmount {data}")
        );
        await AssertNoTracesAsync(client);
    }

    [Fact]
    public async Task What_was_inherited_is_inherited_again_and_what_was_not_mounted_is_not()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        var data = $"{client.Area}/data";
        await client.ShellAsync($"zfs unmount {data}");

        (await client.RunAsync($"zfs-restore restore 1 {data} --force")).MustSucceed();

        Assert.Equal(
            $"no\t-\n/{data}\tdefault\non\tdefault",
            await client.ShellAsync($"zfs get -H -o value,source mounted,mountpoint,canmount {data}")
        );
    }

    [Fact]
    public async Task A_tree_is_replaced_whole_and_each_dataset_keeps_its_place()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server, "data/child");
        var data = $"{client.Area}/data";
        await client.ShellAsync($"zfs set mountpoint=/srv/child {data}/child && zfs set canmount=noauto {data}/child");

        var alone = await client.RunAsync($"zfs-restore latest {data} --force");
        var restored = (await client.RunAsync($"zfs-restore latest {data} --recursive --force")).MustSucceed();

        Assert.Equal(9, alone.ExitCode);
        Assert.Contains($"{data}/child", alone.Error, StringComparison.Ordinal);
        Assert.Contains("with 1 dataset below it, 2 snapshots", restored.Error, StringComparison.Ordinal);
        Assert.Equal(
            "yes\t-\n/srv/child\tlocal\nnoauto\tlocal",
            await client.ShellAsync($"zfs get -H -o value,source mounted,mountpoint,canmount {data}/child")
        );
        Assert.Equal("yes", await client.ShellAsync($"zfs get -H -o value mounted {data}"));
        await AssertNoTracesAsync(client);
    }

    [Fact]
    public async Task Children_and_clones_that_are_made_during_the_restore_are_not_destroyed()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        var data = $"{client.Area}/data";
        var snapshot = (await client.SnapshotsOfAsync(data))[0];

        foreach (
            var (command, made) in (IEnumerable<(string, string)>)
                [($"create {data}/new", $"{data}.replaced/new"), ($"clone {snapshot} {data}-clone", $"{data}-clone")]
        )
        {
            var restored = await RunWithAsync(client, command, "receive", $"zfs-restore restore 1 {data} --force");

            Assert.Contains(
                $"The old dataset is kept, with all its snapshots, as {data}.replaced",
                restored.MustSucceed().Error,
                StringComparison.Ordinal
            );
            Assert.Contains(made, restored.Error, StringComparison.Ordinal);
            // Two datasets of one mountpoint: at the next boot only the new one is mounted.
            Assert.Equal("noauto\non", await client.ShellAsync($"zfs get -H -o value canmount {data}.replaced {data}"));
            await client.ShellAsync($"zfs list {made} && zfs list {data}.replaced@{snapshot.Split('@')[1]}");
            Assert.Equal(await client.GuidOfAsync(snapshot), Assert.Single(await client.GuidsOfAsync(data)));
            // Nothing is taken for an interrupted replacement afterwards.
            Assert.Equal(9, (await client.RunAsync($"zfs-restore restore 1 {data} --force")).ExitCode);
            await client.ShellAsync($"zfs destroy -R {data}.replaced");
        }
    }

    [Theory]
    [InlineData("rename 1")]
    [InlineData("rename 2")]
    [InlineData("set mountpoint=")]
    [InlineData("mount ")]
    [InlineData("destroy ")]
    public async Task A_replacement_that_is_killed_at_any_step_is_completed_by_the_next_run(string step)
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        var data = $"{client.Area}/data";
        await client.ShellAsync($"zfs set mountpoint=/srv/data {data} && zfs snapshot {data}@later");
        var snapshot = (await client.SnapshotsOfAsync(data))[0];
        var guid = await client.GuidOfAsync(snapshot);

        await KillAtAsync(client, step, $"restore {snapshot} {data} --force");

        var without = await client.RunAsync($"zfs-restore restore {snapshot} {data}");
        Assert.Equal(9, without.ExitCode);
        Assert.Contains("interrupted while it replaced", without.Error, StringComparison.Ordinal);
        var next = (await client.RunAsync($"zfs-restore restore {snapshot} {data} --force")).MustSucceed();

        Assert.DoesNotContain("Restoring 1 of 1", next.Error, StringComparison.Ordinal);
        Assert.Equal(guid, Assert.Single(await client.GuidsOfAsync(data)));
        Assert.Equal(
            "yes\t-\n/srv/data\tlocal\non\tdefault",
            await client.ShellAsync($"zfs get -H -o value,source mounted,mountpoint,canmount {data}")
        );
        Assert.Equal(
            "",
            await client.ShellAsync($"zfs get -H -s local all {data} | grep zfs-snapshot-manager || true")
        );
        await AssertNoTracesAsync(client);
    }

    [Fact]
    public async Task A_replacement_that_was_complete_is_not_repeated_over_what_was_written_since()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        var data = $"{client.Area}/data";
        var snapshot = (await client.SnapshotsOfAsync(data))[0];
        await KillAtAsync(client, "destroy ", $"restore {snapshot} {data} --force");
        await client.WriteAsync("data", ("written-since", 1000));
        await client.ShellAsync($"zfs snapshot {data}@automatic");
        var guid = await client.ShellAsync($"zfs get -H -o value guid {data}");

        var next = (await client.RunAsync($"zfs-restore restore {snapshot} {data} --force")).MustSucceed();

        Assert.Contains("is finished now", next.Error, StringComparison.Ordinal);
        Assert.Equal(guid, await client.ShellAsync($"zfs get -H -o value guid {data}"));
        Assert.Contains($"{data}@automatic", await client.SnapshotsOfAsync(data));
        await AssertNoTracesAsync(client);
    }

    [Fact]
    public async Task What_a_run_completes_it_does_not_replace_also_if_the_number_is_another_backups_by_then()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server, "other");
        var data = $"{client.Area}/data";
        var number =
            1
            + Array.FindIndex(await client.ListBackupsAsync(), backup =>
                backup.GetProperty("dataset_name").GetString() == data
            );
        var snapshot = (await client.SnapshotsOfAsync(data))[0];
        await KillAtAsync(client, "rename 1", $"restore {number} {data} --force");
        for (var backup = 0; backup < number; backup++)
            await client.JsonAsync($"zfs-client backup-full --dataset {client.Area}/other");

        var next = await client.RunAsync($"zfs-restore restore {number} {data} --force");

        Assert.Equal(9, next.ExitCode);
        Assert.Contains("it was of another backup", next.Error, StringComparison.Ordinal);
        Assert.Equal(await client.GuidOfAsync(snapshot), Assert.Single(await client.GuidsOfAsync(data)));
        var again = await client.RunAsync($"zfs-restore restore {number} {data} --force");
        Assert.Equal(9, again.ExitCode);
        Assert.Contains($"is a backup of {client.Area}/other", again.Error, StringComparison.Ordinal);
        await AssertNoTracesAsync(client);
    }

    [Theory]
    [InlineData("unmount ")]
    [InlineData("rename 1")]
    [InlineData("rename 2")]
    public async Task A_replacement_that_is_told_to_stop_leaves_one_of_the_two_mounted_in_its_place(string step)
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        var data = $"{client.Area}/data";
        var snapshot = (await client.SnapshotsOfAsync(data))[0];
        // The command has done its work, and takes a while to end.
        var hold = await InterceptAsync(client, step, "\"$zfs\" \"$@\"; touch there; sleep 2; exit 0");
        using var restore = client.Start($"{hold} exec zfs-restore restore {snapshot} {data} --force");
        await Patience.UntilAsync("the step is done", () => File.Exists(Path.Combine(client.Folder, "there")));
        await client.KillAsync("zfs-restore", "INT");
        await restore.WaitForExitAsync(Token);

        var said = await restore.StandardError.ReadToEndAsync(Token);

        Assert.DoesNotContain("cannot ", said, StringComparison.Ordinal);
        Assert.Equal("yes", await client.ShellAsync($"zfs get -H -o value mounted {data}"));
        (await client.RunAsync($"zfs-restore restore {snapshot} {data} --force")).MustSucceed();
        Assert.Equal("yes", await client.ShellAsync($"zfs get -H -o value mounted {data}"));
        await AssertNoTracesAsync(client);
    }

    [Fact]
    public async Task A_volume_that_cannot_be_destroyed_is_kept_as_it_was_and_the_warning_says_what_to_do()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        var volume = $"{client.Area}/volume";
        await client.ShellAsync($"zfs create -V 32M -s {volume}");
        await client.JsonAsync($"zfs-client backup --dataset {volume}");
        var failing = await InterceptAsync(client, "destroy ", "echo 'cannot destroy: internal error' >&2; exit 1");

        var restored = (await client.RunAsync($"{failing} zfs-restore latest {volume} --force")).MustSucceed();

        Assert.Contains($"zfs destroy -r '{volume}.replaced'", restored.Error, StringComparison.Ordinal);
        Assert.Equal(
            "default\tdefault",
            await client.ShellAsync($"zfs get -H -o value,source volmode {volume}.replaced")
        );
    }

    /// <summary>Starts a restore and kills it when one of its commands has done its work.</summary>
    private static async Task KillAtAsync(ClientMachine client, string step, string restore)
    {
        var there = Path.Combine(client.Folder, "there");
        File.Delete(there);
        var hold = await InterceptAsync(client, step, "\"$zfs\" \"$@\"; touch there; exec sleep 300");
        using var process = client.Start($"{hold} exec zfs-restore {restore}");
        await Patience.UntilAsync("the step is done", () => File.Exists(there));
        await client.KillAsync("zfs-restore");
        await process.WaitForExitAsync(Token);
        await client.KillAsync("sleep");
    }

    /// <summary>Runs a command while another one of <c>zfs</c> is about to run.</summary>
    private static async Task<CommandResult> RunWithAsync(
        ClientMachine client,
        string command,
        string before,
        string line
    )
    {
        var hold = await InterceptAsync(client, before, $"\"$zfs\" {command}; exec \"$zfs\" \"$@\"");
        return await client.RunAsync($"{hold} {line}");
    }

    /// <summary>A <c>zfs</c> that does something else at one command, once.</summary>
    /// <param name="client">The client.</param>
    /// <param name="step">How the command begins; with a number at its end, the command of this kind.</param>
    /// <param name="script">What is run instead.</param>
    /// <returns>What to start a line with.</returns>
    private static async Task<string> InterceptAsync(ClientMachine client, string step, string script)
    {
        var (begin, number) = char.IsAsciiDigit(step[^1]) ? (step[..^1], step[^1..]) : (step, "1");
        var bin = Directory.CreateDirectory(Path.Combine(client.Folder, "step")).FullName;
        await File.WriteAllTextAsync(
            Path.Combine(bin, "zfs"),
            $"""
            #!/bin/sh
            zfs=$(PATH=${"{"}PATH#*:{"}"} command -v zfs)
            cd {client.Folder}
            case "$*" in
              "{begin}"*)
                echo >> {bin}/count
                if [ $(wc -l < {bin}/count) = {number} ]; then
                  {script}
                fi ;;
            esac
            exec "$zfs" "$@"

            """,
            Token
        );
        File.SetUnixFileMode(Path.Combine(bin, "zfs"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        File.Delete(Path.Combine(bin, "count"));
        return $"PATH={bin}:$PATH";
    }

    private static async Task<ClientMachine> CreateAsync(ServerProcess server, params string[] more)
    {
        var client = await ClientMachine.CreateAsync(new StandInHost(), server, ["data", .. more]);
        await client.WriteAsync("data", ("file", 100_000));
        await client.ResultsAsync("zfs-client backup --recursive");
        // No bookmarks, so that what is counted is known.
        await client.ShellAsync(
            $"for b in $(zfs list -H -r -t bookmark -o name {client.Area}); do zfs destroy $b; done"
        );
        return client;
    }

    private static async Task AssertNoTracesAsync(ClientMachine client)
    {
        var names = await client.ShellAsync($"zfs list -H -r -o name {client.Area}");
        Assert.DoesNotContain(".restoring", names, StringComparison.Ordinal);
        Assert.DoesNotContain(".replaced", names, StringComparison.Ordinal);
    }
}
