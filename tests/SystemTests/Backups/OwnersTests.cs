using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>Several servers, machines and hosts work on one dataset, and none touches what is another's.</summary>
public sealed class OwnersTests
{
    private const string Mark = "zfs-snapshot-manager:upload";

    [Fact]
    public async Task Two_servers_back_up_one_dataset_and_an_interrupted_upload_to_one_survives_the_other()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost());
        await using var second = await ServerProcess.StartAsync();
        var key = await second.AddClientAsync("offsite");
        var other = $"CLIENT_ID=offsite API_KEY={key} SERVER_URL=http://127.0.0.1:{second.Port}";
        await lab.Client.RunAsync($"{other} zfs-client backup");
        await lab.InterruptAsync("KILL", 137);
        var before = await lab.Client.SnapshotsOfAsync(lab.Dataset);
        var interrupted = before.Single(name => name.Contains('@', StringComparison.Ordinal) && name != before[0]);

        var backup = (await lab.Client.RunAsync($"{other} zfs-client backup")).MustSucceed();
        (await lab.Client.RunAsync($"{other} KEEP_HOURLY=0 zfs-client rotate")).MustSucceed();

        Assert.DoesNotContain("removing", backup.Error, StringComparison.Ordinal);
        Assert.Empty(before.Except(await lab.Client.SnapshotsOfAsync(lab.Dataset), StringComparer.Ordinal));
        Assert.NotEqual("", await lab.Client.ShellAsync($"zfs holds -H '{interrupted}'"));
        var next = await lab.Client.JsonAsync("zfs-client backup");
        Assert.Equal(interrupted, next.GetProperty("resumed").GetProperty("snapshot").GetString());
        var rotated = await lab.Client.JsonAsync("zfs-client rotate");
        Assert.Equal(0, rotated.GetProperty("destroyed_count").GetInt32());
        Assert.Equal(
            "incremental",
            (await lab.Client.JsonAsync($"{other} zfs-client backup")).GetProperty("kind").GetString()
        );
    }

    /// <summary>With the default of KEEP_MANUAL, which removes snapshots and bookmarks after each backup.</summary>
    [Fact]
    public async Task Two_servers_remove_only_what_their_own_backups_left()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost(), "KEEP_MANUAL=3");
        await using var second = await ServerProcess.StartAsync();
        var key = await second.AddClientAsync(lab.Client.Id);
        var other = $"API_KEY={key} SERVER_URL=http://127.0.0.1:{second.Port}";
        List<string> own = [];
        List<string> others = [];
        await lab.Client.ShellAsync(
            $"zfs snapshot {lab.Dataset}@mine && zfs bookmark {lab.Dataset}@mine " + $"{lab.Dataset}#mine"
        );
        others.Add(await BackUpAsync(lab, $"{other} zfs-client backup"));
        for (var round = 0; round < 5; round++)
            own.Add(await BackUpAsync(lab, "zfs-client backup"));
        (await lab.Client.RunAsync("zfs-client rotate")).MustSucceed();

        var kept = await SnapshotsAsync(lab);
        Assert.Equal([$"{lab.Dataset}@mine", .. others, .. own[^3..]], kept);

        for (var round = 0; round < 4; round++)
            others.Add(await BackUpAsync(lab, $"{other} zfs-client backup"));
        (await lab.Client.RunAsync($"{other} zfs-client rotate")).MustSucceed();

        kept = await SnapshotsAsync(lab);
        Assert.Equal([$"{lab.Dataset}@mine", .. own[^3..], .. others[^3..]], kept);
        Assert.Contains($"{lab.Dataset}#mine", await lab.Client.SnapshotsOfAsync(lab.Dataset));
        Assert.Equal("incremental", (await lab.Client.JsonAsync("zfs-client backup")).GetProperty("kind").GetString());
    }

    private static async Task<string> BackUpAsync(BackupLab lab, string line) =>
        (await lab.Client.JsonAsync(line)).GetProperty("snapshot").GetString()!;

    private static async Task<string[]> SnapshotsAsync(BackupLab lab) =>
        [
            .. (await lab.Client.SnapshotsOfAsync(lab.Dataset)).Where(name =>
                name.Contains('@', StringComparison.Ordinal)
            ),
        ];

    [Fact]
    public async Task Marks_that_a_snapshot_inherits_or_a_replica_received_mean_nothing()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        var data = $"{client.Area}/data";
        await client.WriteAsync("data", ("file", 1000));
        await client.ShellAsync(
            $"zfs snapshot {data}@mine-1 && zfs snapshot {data}@mine-2 && zfs snapshot {data}@mine-3 && "
                + $"zfs snapshot -o {Mark}=pending -o zfs-snapshot-manager:type=hourly {data}@sent && "
                + $"zfs stand-in replicate {data}@sent {client.Area}/replica && zfs destroy {data}@sent && "
                + $"zfs snapshot {client.Area}/replica@newer && zfs set zfs-snapshot-manager:type=hourly {data} && "
                + $"zfs set {Mark}=pending {data}"
        );
        await client.WriteSettingsAsync(
            $"LOCAL_DATASET={data},{client.Area}/replica",
            "KEEP_HOURLY=1",
            "KEEP_MANUAL=0"
        );

        (await client.RunAsync("zfs-client backup")).MustSucceed();
        (await client.RunAsync("zfs-client snapshot hourly")).MustSucceed();
        (await client.RunAsync("zfs-client rotate")).MustSucceed();

        string[] mine = [$"{data}@mine-1", $"{data}@mine-2", $"{data}@mine-3"];
        Assert.Empty(mine.Except(await client.SnapshotsOfAsync(data), StringComparer.Ordinal));
        Assert.Contains($"{client.Area}/replica@sent", await client.SnapshotsOfAsync($"{client.Area}/replica"));
    }

    /// <summary>What version 48e77d3 leaves: marks without an owner, the tag of holds, names of bookmarks.</summary>
    [Fact]
    public async Task Marks_of_an_earlier_version_are_adopted_where_the_server_knows_the_snapshot()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        var data = $"{client.Area}/data";
        var known = (await client.JsonAsync("zfs-client backup")).GetProperty("snapshot").GetString()!;
        var old = known.Replace('@', '#');
        await client.ShellAsync(
            $"zfs set {Mark}=committed '{known}' && zfs hold zsm-upload '{known}' && zfs bookmark '{known}' '{old}' && "
                + $"zfs destroy '{await client.BookmarkOfAsync(known)}'"
        );
        await client.ShellAsync(
            $"zfs snapshot -o {Mark}=pending {data}@unknown && zfs hold zsm-upload {data}@unknown && zfs bookmark "
                + $"{data}@unknown '{data}#zsm-manual-unknown'"
        );

        var backup = await client.RunAsync("zfs-client backup");
        (await client.RunAsync("zfs-client rotate")).MustSucceed();

        Assert.Contains(": incremental from ", backup.MustSucceed().Output, StringComparison.Ordinal);
        Assert.Contains($"zfs release zsm-upload {data}@unknown", backup.Error, StringComparison.Ordinal);
        Assert.StartsWith(
            "committed:",
            await client.ShellAsync($"zfs get -H -o value {Mark} '{known}'"),
            StringComparison.Ordinal
        );
        Assert.Equal("", await client.ShellAsync($"zfs holds -H '{known}'"));
        var names = await client.SnapshotsOfAsync(data);
        Assert.DoesNotContain(old, names);
        Assert.Contains(await client.BookmarkOfAsync(known), names);
        Assert.Contains($"{data}@unknown", names);
        Assert.Contains($"{data}#zsm-manual-unknown", names);
        Assert.Equal("pending", await client.ShellAsync($"zfs get -H -o value {Mark} {data}@unknown"));
    }

    [Fact]
    public async Task A_second_machine_under_one_id_is_refused_and_named_until_it_takes_over()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        (await client.RunAsync("MACHINE_ID=first zfs-client backup")).MustSucceed();
        var before = await client.SnapshotsOfAsync($"{client.Area}/data");

        var refused = await client.RunAsync("MACHINE_ID=second zfs-client backup");

        Assert.Equal(9, refused.ExitCode);
        Assert.Contains("come from another machine, first, last seen", refused.Error, StringComparison.Ordinal);
        Assert.Contains("--take-over", refused.Error, StringComparison.Ordinal);
        Assert.Equal(before, await client.SnapshotsOfAsync($"{client.Area}/data"));
        Assert.Contains("is not accepted from the machine second", server.Log, StringComparison.Ordinal);
        var doctor = await client.RunAsync("MACHINE_ID=first zfs-client doctor");
        Assert.Contains("another machine under the client id", doctor.Output, StringComparison.Ordinal);
        var rotated = await client.JsonAsync(
            "MACHINE_ID=second KEEP_HOURLY=0 KEEP_DAILY=0 zfs-client rotate-remote --dry-run"
        );
        Assert.All(rotated.GetProperty("decisions").EnumerateArray(), item =>
            Assert.Contains("another machine, first", item.GetProperty("reason").GetString(), StringComparison.Ordinal)
        );

        var taken = await client.JsonAsync("MACHINE_ID=second zfs-client backup --take-over");

        Assert.Equal("incremental", taken.GetProperty("kind").GetString());
        Assert.Equal(9, (await client.RunAsync("MACHINE_ID=first zfs-client backup")).ExitCode);
        (await client.RunAsync("MACHINE_ID=second zfs-client backup")).MustSucceed();
    }

    /// <summary>Two machines with one id: the upload of one continues while the other is refused.</summary>
    [Fact]
    public async Task The_interrupted_upload_of_one_machine_is_not_dropped_by_another()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost());
        await lab.InterruptAsync("KILL", 137);
        var interrupted = Assert.Single(await lab.Client.SnapshotsOfAsync(lab.Dataset));

        var refused = await lab.Client.RunAsync("MACHINE_ID=clone zfs-client backup");

        Assert.Equal(9, refused.ExitCode);
        Assert.Equal([interrupted], await lab.Client.SnapshotsOfAsync(lab.Dataset));
        var next = await lab.Client.JsonAsync("zfs-client backup");
        Assert.Equal(interrupted, next.GetProperty("resumed").GetProperty("snapshot").GetString());
    }

    [Fact]
    public async Task A_second_restore_into_one_dataset_is_refused_while_the_first_one_works()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        await client.WriteAsync("data", ("large", 16 << 20));
        var snapshot = (await client.JsonAsync("zfs-client backup")).GetProperty("snapshot").GetString()!;
        var hold = await client.HoldStreamsAsync();
        var target = $"{client.Area}/restored";
        using var first = client.Start($"{hold} exec zfs-restore latest {target} --source {client.Area}/data");
        await Patience.UntilAsync("the first restore receives", async () =>
            (await client.RunAsync($"zfs list {target}.restoring")).ExitCode == 0
        );

        var second = await client.RunAsync($"zfs-restore latest {target} --source {client.Area}/data --restart");

        Assert.Equal(9, second.ExitCode);
        Assert.Contains("Another zfs-restore on this machine", second.Error, StringComparison.Ordinal);
        await client.ReleaseAsync();
        await Patience.WaitForEndAsync(first, "the first restore");
        Assert.Equal(0, first.ExitCode);
        await client.AssertSameAsync(snapshot, target);
        Assert.Equal(
            "",
            await client.ShellAsync($"zfs get -H -o value -s local zfs-snapshot-manager:restore-run {target}")
        );
    }
}
