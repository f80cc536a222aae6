using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Datasets;

/// <summary>
/// One dataset of several cannot be worked on, on the stand-in for <c>zfs</c>: it is named, and the others are.
/// </summary>
public sealed class OneOfManyTests
{
    [Theory]
    [InlineData("tank/gone", "dataset does not exist")]
    [InlineData("nopool/x", "dataset does not exist")]
    public async Task A_named_dataset_that_does_not_exist_is_a_failure_of_its_own(string gone, string words)
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "a", "b");
        await client.WriteSettingsAsync($"LOCAL_DATASET={client.Area}/a,{gone},{client.Area}/b");

        await AssertOthersAsync(client, gone, words, ["a", "b"]);
    }

    [Fact]
    public async Task A_half_received_dataset_is_named_and_left_out()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateTreeAsync(server);
        await ReceiveHalfAsync(client, "data/part", "");

        await AssertOthersAsync(client, $"{client.Area}/data/part", "is incomplete", ["data", "data/a", "data/b"]);
    }

    [Fact]
    public async Task A_dataset_whose_name_leaves_no_room_for_a_snapshot_is_named_with_the_remedy()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateTreeAsync(server);
        var name = $"{client.Area}/data/{new string('x', 230 - client.Area.Length)}";
        await client.ShellAsync($"zfs create {name}");

        await AssertOthersAsync(client, name, "SNAPSHOT_PREFIX", ["data", "data/a", "data/b"]);

        var alone = await client.RunAsync($"RECURSIVE=false zfs-client backup --dataset {name}");
        Assert.Equal(9, alone.ExitCode);
        Assert.Contains("SNAPSHOT_PREFIX", alone.Error, StringComparison.Ordinal);
        (await client.RunAsync($"SNAPSHOT_PREFIX=z zfs-client backup --exclude {name}")).MustSucceed();
    }

    /// <summary>ZFS allows a name to end in a space; it cannot be named in the settings.</summary>
    [Fact]
    public async Task A_dataset_with_an_odd_name_is_named_and_can_be_excluded()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateTreeAsync(server);
        await client.ShellAsync($"zfs create '{client.Area}/data/odd '");

        await AssertOthersAsync(client, $"{client.Area}/data/odd ", "ends in a space", ["data", "data/a", "data/b"]);

        (await client.RunAsync($"zfs-client backup --exclude '{client.Area}/data/odd?'")).MustSucceed();
    }

    [Theory]
    [InlineData("--exclude AREA/data/b", "data")] // beside EXCLUDE, not instead of it
    [InlineData("--no-exclude", "data data/a data/b")]
    [InlineData("--no-exclude --exclude AREA/data/b", "data data/a")]
    [InlineData("--no-recursive", "data")]
    public async Task Options_add_to_the_settings_or_end_them(string options, string datasets)
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateTreeAsync(server);
        await client.WriteSettingsAsync(
            $"LOCAL_DATASET={client.Area}/data",
            "RECURSIVE=true",
            $"EXCLUDE={client.Area}/data/a"
        );

        var planned = await client.ResultsAsync(
            $"zfs-client backup --dry-run {options.Replace("AREA", client.Area, StringComparison.Ordinal)}"
        );

        Assert.Equal(
            datasets.Split(' ').Select(name => $"{client.Area}/{name}"),
            planned.Select(plan => plan.GetProperty("snapshot").GetString()!.Split('@')[0])
        );
    }

    /// <summary>What the stand-in does not do itself is done by a command before it.</summary>
    /// <param name="refusal">Lines of shell; <c>$AREA</c> is the client's part of the pool.</param>
    /// <param name="words">What the message says.</param>
    [Theory]
    [InlineData(
        "[ $1 = snapshot ] && PATH=${PATH#*:} zfs destroy -r $AREA/data/bad 2> /dev/null",
        "dataset does not exist"
    )]
    [InlineData(
        """[[ $1 = snapshot && " $*" = *" $AREA/data/bad@"* ]] && { echo "cannot create snapshot '$AREA/data/bad': """
            + """out of space" >&2; echo 'no snapshots were created' >&2; exit 1; }""",
        "snapshot_limit"
    )]
    [InlineData(
        """[[ $1 = snapshot && " $*" = *" $AREA/data/bad@"* ]] && { echo "cannot create snapshots : permission """
            + """denied" >&2; echo 'no snapshots were created' >&2; exit 1; }""",
        "permission denied"
    )]
    public async Task A_dataset_that_ZFS_does_not_snapshot_is_found_and_left_out(string refusal, string words)
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateTreeAsync(server, "data/bad", "data/c");
        var commands = await CountedCommands.CreateAsync(client, $"AREA={client.Area}\n{refusal}");

        var backup = await client.RunAsync($"{commands.Path} zfs-client backup --json");

        Assert.Equal(6, backup.ExitCode);
        AssertFailed(backup, $"{client.Area}/data/bad", words, ["data", "data/a", "data/b", "data/c"], client);
        Assert.Equal(4, (await client.ListBackupsAsync()).Length);
        await client.ShellAsync($"zfs create -p {client.Area}/data/bad");
        var snapshot = await client.RunAsync($"{commands.Path} zfs-client snapshot hourly --json");
        Assert.Equal(6, snapshot.ExitCode);
        foreach (var dataset in (string[])["data", "data/a", "data/b", "data/c"])
            Assert.Single(await client.SnapshotsOfAsync($"{client.Area}/{dataset}"), name =>
                name.Contains("hourly", StringComparison.Ordinal)
            );
    }

    /// <summary>
    /// A pool that is suspended refuses by a message that names no dataset; another is in the same run.
    /// </summary>
    [Fact]
    public async Task A_pool_that_takes_no_snapshots_does_not_prevent_the_backup_of_another()
    {
        const string Refusal =
            """[[ $1 = snapshot && " $*" = *" other/"* ]] && { echo "cannot create snapshots : pool I/O is """
            + """currently suspended" >&2; echo 'no snapshots were created' >&2; exit 1; }""";
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "a");
        await client.ShellAsync("zfs stand-in add-pool other && zfs create other/x && zfs create other/y");
        await client.WriteSettingsAsync($"LOCAL_DATASET=other/x,other/y,{client.Area}/a");
        var commands = await CountedCommands.CreateAsync(client, Refusal);

        var backup = await client.RunAsync($"{commands.Path} zfs-client backup --json");

        Assert.Equal(6, backup.ExitCode);
        var result = CommandJson.Parse(backup.Output);
        Assert.Single(result.GetProperty("results").EnumerateArray());
        Assert.Equal(
            ["other/x", "other/y"],
            result
                .GetProperty("failures")
                .EnumerateArray()
                .Select(failure => failure.GetProperty("dataset").GetString())
        );
        Assert.Equal(2, (await commands.TakeAsync()).Count(command => command == "snapshot"));
    }

    /// <summary>Each step of a backup may find that the dataset is gone.</summary>
    [Theory]
    [InlineData("hold")]
    [InlineData("get")]
    [InlineData("send")]
    [InlineData("bookmark")]
    public async Task A_dataset_that_vanishes_in_the_middle_of_a_run_is_a_failure_of_its_own(string step)
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateTreeAsync(server, "data/c");
        // "get" is asked of all datasets first, and then of each.
        var refusal =
            $"AREA={client.Area}\n[[ $1 = {step} && ( $1 = hold || ${{*: -1}} = $AREA/data/c* || $2 = $AREA/data/c* "
            + ") ]] && { export PATH=${PATH#*:}; for s in $(zfs list -H -t snapshot -d 1 -o name $AREA/data/c); do zfs "
            + "release $(zfs holds -H $s | cut -f 2) $s; done; zfs destroy -r $AREA/data/c; export PATH=x:$PATH; } "
            + "2> /dev/null";
        var commands = await CountedCommands.CreateAsync(client, refusal);

        var backup = await client.RunAsync($"{commands.Path} zfs-client backup --json");

        AssertFailed(backup, $"{client.Area}/data/c", "", ["data", "data/a", "data/b"], client);
        Assert.Equal(6, backup.ExitCode);
    }

    [Fact]
    public async Task Datasets_of_these_programs_are_never_taken_along()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateTreeAsync(server, "data/store", "data/store/client", "data/replica");
        await ReceiveHalfAsync(client, "data/x.restoring", "-o zfs-snapshot-manager:restore=partial");
        await client.ShellAsync(
            $"zfs create -o zfs-snapshot-manager:restore=partial {client.Area}/data/y.restoring && zfs create "
                + $"{client.Area}/data/y.restoring/below && zfs set zfs-snapshot-manager:client=web "
                + $"{client.Area}/data/store/client"
        );

        var backup = await client.RunAsync("zfs-client backup");
        var snapshot = await client.RunAsync("zfs-client snapshot hourly");
        var planned = await client.RunAsync("zfs-client backup --dry-run --json");
        var named = await client.RunAsync(
            $"RECURSIVE=false zfs-client backup --dataset {client.Area}/data/store/client"
        );

        foreach (var run in (CommandResult[])[backup, snapshot])
        {
            Assert.Equal(0, run.ExitCode);
            Assert.Contains("a restore into it is not finished", run.Error, StringComparison.Ordinal);
            Assert.Contains("a zfs-server stores backups in it", run.Error, StringComparison.Ordinal);
        }

        Assert.Equal(
            ["store/client", "x.restoring", "y.restoring", "y.restoring/below"],
            JsonDocument
                .Parse(planned.Output)
                .RootElement.GetProperty("left_out")
                .EnumerateArray()
                .Select(dataset => dataset.GetProperty("dataset").GetString()![$"{client.Area}/data/".Length..])
        );
        foreach (var left in (string[])["x.restoring", "y.restoring", "y.restoring/below", "store/client"])
            Assert.Empty(await client.SnapshotsOfAsync($"{client.Area}/data/{left}"));
        Assert.Equal(5, (await client.ListBackupsAsync()).Length);
        Assert.Equal(9, named.ExitCode);
        Assert.Contains("that a zfs-server received", named.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Datasets_that_other_snapshot_tools_leave_out_can_be_left_out()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateTreeAsync(server);
        await client.ShellAsync(
            $"zfs set com.sun:auto-snapshot=false {client.Area}/data/a && zfs create {client.Area}/data/a/below"
        );

        var all = await client.ResultsAsync("zfs-client backup");
        var some = await client.ResultsAsync("RESPECT_AUTO_SNAPSHOT=true zfs-client backup");
        var named = await client.RunAsync(
            $"RECURSIVE=false RESPECT_AUTO_SNAPSHOT=true zfs-client backup --dataset {client.Area}/data/a"
        );

        Assert.Equal(4, all.Length);
        Assert.Equal(2, some.Length);
        named.MustSucceed();
    }

    /// <summary>As after a pool was migrated by <c>zfs send -R</c>: backups would end without a sign.</summary>
    [Fact]
    public async Task A_dataset_that_is_left_out_and_has_backups_is_a_warning_until_it_is_excluded()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateTreeAsync(server);
        var data = $"{client.Area}/data";
        (await client.RunAsync("zfs-client backup")).MustSucceed();
        await client.ShellAsync($"zfs create {data}/new && zfs set com.sun:auto-snapshot=false {data}/a {data}/new");

        var run = (await client.RunAsync("RESPECT_AUTO_SNAPSHOT=true zfs-client backup --json")).MustSucceed();
        var typed = await client.RunAsync("RESPECT_AUTO_SNAPSHOT=true zfs-client snapshot hourly --send");
        var doctor = await client.RunAsync("RESPECT_AUTO_SNAPSHOT=true zfs-client doctor");
        var excluded = await client.RunAsync($"RESPECT_AUTO_SNAPSHOT=true zfs-client backup --exclude {data}/a");

        var ended = $"The server has backups of {data}/a, the newest of ";
        Assert.Contains($"warning: {ended}", typed.MustSucceed().Error, StringComparison.Ordinal);
        Assert.Contains(ended, doctor.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(ended, excluded.MustSucceed().Error, StringComparison.Ordinal);
        var report = CommandJson.Parse(run.Output);
        Assert.Contains(ended, report.GetProperty("warnings")[0].GetString(), StringComparison.Ordinal);
        Assert.Equal(
            [$"{data}/a", $"{data}/new"],
            report.GetProperty("left_out").EnumerateArray().Select(left => left.GetProperty("dataset").GetString())
        );
    }

    [Fact]
    public async Task Without_bookmarks_the_snapshot_is_the_base_of_the_next_backup()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        await client.ShellAsync("zfs stand-in no-bookmarks");
        await client.WriteAsync("data", ("file", 5000));

        var first = await client.RunAsync("zfs-client backup");
        await client.WriteAsync("data", ("more", 5000));
        var second = await client.JsonAsync("zfs-client backup");
        var third = await client.JsonAsync("KEEP_HOURLY=1 zfs-client snapshot hourly --send");
        await client.JsonAsync("KEEP_HOURLY=1 zfs-client snapshot hourly");
        await client.JsonAsync("KEEP_HOURLY=1 zfs-client snapshot hourly");
        var fourth = await client.JsonAsync("zfs-client backup");

        first.MustSucceed();
        Assert.Contains("the snapshots themselves are the bases", first.Error, StringComparison.Ordinal);
        Assert.Equal("incremental", second.GetProperty("kind").GetString());
        Assert.Equal("incremental", third.GetProperty("backup").GetProperty("kind").GetString());
        Assert.Equal("incremental", fourth.GetProperty("kind").GetString());
        Assert.Equal(third.GetProperty("snapshot").GetString(), fourth.GetProperty("base").GetString());
        var snapshots = await client.SnapshotsOfAsync($"{client.Area}/data");
        Assert.Empty(await client.ShellAsync($"zfs holds -H {string.Join(' ', snapshots)}"));
        await client.JsonAsync($"zfs-restore latest {client.Area}/restored");
    }

    private static async Task<ClientMachine> CreateTreeAsync(ServerProcess server, params string[] more)
    {
        var client = await ClientMachine.CreateAsync(
            new StandInHost(),
            server,
            [.. (string[])["data", "data/a", "data/b"], .. more]
        );
        await client.WriteSettingsAsync($"LOCAL_DATASET={client.Area}/data", "RECURSIVE=true");
        return client;
    }

    private static async Task ReceiveHalfAsync(ClientMachine client, string dataset, string options)
    {
        await client.WriteAsync("data/a", ("file", 5_000_000));
        await client.ShellAsync(
            $"zfs snapshot {client.Area}/data/a@half && zfs send {client.Area}/data/a@half | head -c 3000000 | zfs "
                + $"receive -s -u {options} {client.Area}/{dataset}@half 2> /dev/null; zfs list {client.Area}/{dataset}"
        );
    }

    /// <summary>All commands name the dataset and do their work on the others.</summary>
    private static async Task AssertOthersAsync(ClientMachine client, string bad, string words, string[] others)
    {
        var dry = await client.RunAsync("zfs-client backup --dry-run --json");
        var backup = await client.RunAsync("zfs-client backup --json");
        var sent = await client.RunAsync("zfs-client snapshot daily --send --json");
        var snapshot = await client.RunAsync("zfs-client snapshot hourly --json");
        var rotation = await client.RunAsync("zfs-client rotate");
        var bookmarks = await client.RunAsync("zfs-client bookmarks");
        var doctor = await client.RunAsync("zfs-client doctor");

        AssertFailed(dry, bad, words, others, client);
        AssertFailed(backup, bad, words, others, client);
        Assert.NotEqual(0, sent.ExitCode);
        Assert.NotEqual(0, snapshot.ExitCode);
        Assert.NotEqual(0, doctor.ExitCode);
        Assert.Contains(bad, snapshot.Error + snapshot.Output, StringComparison.Ordinal);
        Assert.Contains(words, doctor.Output, StringComparison.Ordinal);
        foreach (var other in others)
        {
            var name = $"{client.Area}/{other}";
            var snapshots = await client.SnapshotsOfAsync(name);
            foreach (var type in (string[])["manual", "daily", "hourly"])
                Assert.Contains(snapshots, one => one.Contains($"@zsm-{type}", StringComparison.Ordinal));
            Assert.Contains($"{name}: destroyed 0", rotation.Output, StringComparison.Ordinal);
            Assert.Contains($"{name}#", bookmarks.Output, StringComparison.Ordinal);
            Assert.Contains($"{name}, a file system", doctor.Output, StringComparison.Ordinal);
        }
    }

    private static void AssertFailed(CommandResult run, string bad, string words, string[] others, ClientMachine client)
    {
        Assert.NotEqual(0, run.ExitCode);
        Assert.DoesNotContain("bug of the program", run.Output, StringComparison.Ordinal);
        var result = CommandJson.Parse(run.Output);
        var failure = Assert.Single(result.GetProperty("failures").EnumerateArray());
        Assert.Equal(bad, failure.GetProperty("dataset").GetString());
        Assert.Contains(words, $"{failure}", StringComparison.Ordinal);
        Assert.Equal(
            others.Select(other => $"{client.Area}/{other}"),
            result
                .GetProperty("results")
                .EnumerateArray()
                .Select(one => one.GetProperty("snapshot").GetString()!.Split('@')[0])
        );
    }
}
