using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Datasets;

/// <summary>Several datasets in one run: one moment for all, a chain for each.</summary>
[Collection("zfs")]
public sealed class ManyDatasetsTests(ZfsHost host)
{
    [Fact]
    public async Task A_tree_is_backed_up_in_one_moment_and_restored_with_its_properties()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(
            host,
            server,
            "data",
            "data/a",
            "data/a/deep",
            "data/b",
            "data/scratch",
            "data/gap",
            "data/gap/below"
        );
        await client.WriteSettingsAsync(
            $"LOCAL_DATASET={client.Area}/data",
            "RECURSIVE=true",
            $"EXCLUDE={client.Area}/data/scratch"
        );
        await client.ShellAsync(
            $"cd /{client.Area}/data && for d in . a a/deep b scratch gap gap/below; do echo $d > $d/file; done"
        );
        await client.ShellAsync(
            $"zfs set compression=lz4 {client.Area}/data && zfs set recordsize=64K quota=1G "
                + $"org.example:note='$(touch /tmp/no); x' {client.Area}/data/a && zfs set mountpoint=/tmp/elsewhere "
                + $"{client.Area}/data/b"
        );

        var first = await client.ResultsAsync("zfs-client backup");
        Assert.Equal(
            ["data", "data/a", "data/a/deep", "data/b", "data/gap", "data/gap/below"],
            DatasetsOf(client, first)
        );
        var times = await client.ShellAsync(
            string.Join(
                " && ",
                first.Select(result => $"zfs get -H -o value createtxg '{result.GetProperty("snapshot").GetString()}'")
            )
        );
        Assert.Single(times.Split('\n').Distinct());

        await client.ShellAsync(
            $"zfs rename {client.Area}/data/a {client.Area}/data/moved && zfs destroy -r {client.Area}/data/b && zfs "
                + $"create {client.Area}/data/new && echo new > /{client.Area}/data/new/file && echo more >> "
                + $"/{client.Area}/data/moved/file"
        );
        var second = await client.ResultsAsync(
            $"zfs-client snapshot daily --send --exclude {client.Area}/data/scratch --exclude '{client.Area}/data/ga?'"
        );
        var backups = second.Select(result => result.GetProperty("backup")).ToArray();

        Assert.Equal(
            ["data incremental", "data/moved incremental", "data/moved/deep incremental", "data/new full"],
            KindsOf(client, backups)
        );
        var number =
            Array.FindIndex(await client.ListBackupsAsync(), backup =>
                backup.GetProperty("dataset_name").GetString() == $"{client.Area}/data"
            ) + 1;
        var restored = await client.JsonAsync(
            $"zfs-restore restore {number} {client.Area}/restored --recursive --properties"
        );

        await AssertRestoredAsync(client, backups.Select(result => result.GetProperty("snapshot").GetString()!));
        Assert.Equal(
            [
                $"{client.Area}/data/a",
                $"{client.Area}/data/a/deep",
                $"{client.Area}/data/b",
                $"{client.Area}/data/gap",
                $"{client.Area}/data/gap/below",
            ],
            restored.GetProperty("missing").EnumerateArray().Select(missing => missing.GetString())
        );
        Assert.Equal(
            "lz4 65536 1073741824 $(touch /tmp/no); x",
            await client.ShellAsync(
                $"echo $(zfs get -Hpo value compression {client.Area}/restored) $(zfs get -Hpo value "
                    + $"recordsize,quota {client.Area}/restored/moved) \"$(zfs get -Hpo value org.example:note "
                    + $"{client.Area}/restored/moved)\""
            )
        );
        Assert.Equal("no", await client.ShellAsync($"zfs get -Ho value mounted {client.Area}/restored/moved"));
        Assert.DoesNotContain(
            await client.ShellAsync($"zfs list -Ho name -r {client.Area}"),
            ".restoring",
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_dataset_that_fails_does_not_prevent_the_backup_of_others()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data", "data/a", "data/z");
        await client.ShellAsync(
            $"echo 'a long passphrase' | zfs create {Passphrase.Options} "
                + $"{client.Area}/data/locked && zfs unmount {client.Area}/data/locked && zfs unload-key "
                + $"{client.Area}/data/locked"
        );
        await client.WriteSettingsAsync(
            $"LOCAL_DATASET={client.Area}/data/z,{client.Area}/data/locked,{client.Area}/data/a",
            "RAW_SEND=false"
        );

        var run = await client.RunAsync("zfs-client backup --json");

        Assert.Equal(6, run.ExitCode);
        var result = CommandJson.Parse(run.Output);
        Assert.False(result.GetProperty("success").GetBoolean());
        Assert.Equal(["data/a", "data/z"], DatasetsOf(client, result.GetProperty("results").EnumerateArray()));
        var failure = Assert.Single(result.GetProperty("failures").EnumerateArray());
        Assert.Equal($"{client.Area}/data/locked", failure.GetProperty("dataset").GetString());
        Assert.Contains("load-key", failure.GetProperty("remedy").GetString(), StringComparison.Ordinal);
        Assert.Equal(2, (await client.ListBackupsAsync()).Length);
        Assert.Empty(await client.SnapshotsOfAsync($"{client.Area}/data/locked"));
    }

    /// <summary>
    /// Half received ones, missing ones, and one that has reached its limit, which ZFS sets to ordinary users only. It
    /// is in a pool of its own: in a pool that has a limit somewhere, every dataset gets counters.
    /// </summary>
    [Fact]
    public async Task Datasets_that_ZFS_does_not_snapshot_are_left_out_of_the_joint_snapshot()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data", "data/a");
        var data = $"{client.Area}/data";
        var pool = $"limited{Guid.NewGuid().ToString("N")[..8]}";
        await client.ShellAsync(
            "id backup > /dev/null 2>&1 || useradd --create-home backup; head -c 4000000 /dev/urandom > "
                + $"/{data}/a/random && zfs snapshot {data}/a@half && zfs send {data}/a@half > {client.Folder}/half && "
                + $"cd {client.Folder} && for target in '{data}/part' '-o zfs-snapshot-manager:restore=partial "
                + $"{data}/r.restoring'; do head -c 2000000 half | zfs receive -s -u $target 2> /dev/null; done; "
                + $"truncate -s 128M pool && zpool create {pool} {client.Folder}/pool && zfs create -p "
                + $"{pool}/full/below && zfs create {pool}/free && zfs set snapshot_limit=0 {pool}/full"
        );
        await client.WriteSettingsAsync($"LOCAL_DATASET={data},{client.Area}/gone,{pool}", "RECURSIVE=true");
        await client.ShellAsync(
            $"chown -R backup {client.Folder} && for d in {data} {pool}; do zfs allow -u backup "
                + "snapshot,send,bookmark,userprop,hold,release,destroy,mount $d; done"
        );
        CommandResult run;
        string left;
        try
        {
            run = await client.RunAsync(
                "setpriv --reuid=backup --regid=backup --init-groups env HOME=/tmp PATH=$PATH zfs-client backup --json"
            );
            left = await client.ShellAsync($"zfs list -H -r -t snapshot -o name {pool}/full {data}/r.restoring");
        }
        finally
        {
            await client.ShellAsync($"zpool destroy -f {pool}");
        }

        Assert.Equal(6, run.ExitCode);
        var result = CommandJson.Parse(run.Output);
        Assert.Equal(
            [pool, $"{pool}/free", data, $"{data}/a"],
            result
                .GetProperty("results")
                .EnumerateArray()
                .Select(one => one.GetProperty("snapshot").GetString()!.Split('@')[0])
        );
        Assert.Equal(
            [$"{pool}/full", $"{pool}/full/below", $"{data}/part", $"{client.Area}/gone"],
            result
                .GetProperty("failures")
                .EnumerateArray()
                .Select(failure => failure.GetProperty("dataset").GetString()!)
                .OrderBy(name => name.StartsWith(pool, StringComparison.Ordinal) ? 0 : 1)
                .ThenBy(name => name.EndsWith("gone", StringComparison.Ordinal))
                .ThenBy(name => name, StringComparer.Ordinal)
        );
        Assert.Contains("snapshot_limit", run.Output, StringComparison.Ordinal);
        Assert.Empty(left);
    }

    [Fact]
    public async Task An_interrupted_restore_of_a_tree_resumes_with_the_dataset_it_was_at()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data", "data/a", "data/b");
        await client.ShellAsync(
            $"cd /{client.Area}/data && echo x > file && dd if=/dev/urandom of=a/random bs=1M count=1 2>/dev/null && "
                + "dd if=/dev/urandom of=b/random bs=1M count=8 2>/dev/null"
        );
        await client.ResultsAsync("zfs-client backup --recursive");
        var hold = await client.HoldStreamsAsync();
        using (
            var restore = client.Start(
                $"{hold} exec zfs-restore latest {client.Area}/restored --source {client.Area}/data --recursive"
            )
        )
        {
            // The first two are complete, and the third has begun.
            await host.WaitForAsync(
                "the third dataset is being received",
                $"zfs list -H -o name {client.Area}/restored.restoring/b.restoring"
            );
            await client.KillAsync("zfs-restore");
            await Patience.WaitForEndAsync(restore, "the restore");
            await client.ReleaseAsync();
        }

        // What it had started ends by itself, a moment later.
        await host.WaitForAsync("nothing receives any more", $"! pgrep -f '[z]fs receive .*{client.Area}/'");
        await client.JsonAsync($"zfs-restore latest {client.Area}/restored --source {client.Area}/data --recursive");

        var snapshots = await client.ShellAsync($"zfs list -H -o name -t snapshot -r {client.Area}/data");
        Assert.Equal(3, snapshots.Split('\n').Length);
        await AssertRestoredAsync(client, snapshots.Split('\n'));
    }

    /// <summary>Each snapshot of "data" and its children is in "restored".</summary>
    private static Task AssertRestoredAsync(ClientMachine client, IEnumerable<string> snapshots) =>
        client.AssertSameAsync([
            .. snapshots.Select(snapshot =>
                (
                    snapshot,
                    snapshot
                        .Split('@')[0]
                        .Replace($"{client.Area}/data", $"{client.Area}/restored", StringComparison.Ordinal)
                )
            ),
        ]);

    private static string[] DatasetsOf(ClientMachine client, IEnumerable<JsonElement> results) =>
        [.. results.Select(result => result.GetProperty("dataset").GetString()![(client.Area.Length + 1)..])];

    private static string[] KindsOf(ClientMachine client, JsonElement[] results) =>
        [
            .. DatasetsOf(client, results)
                .Zip(results, (dataset, result) => $"{dataset} {result.GetProperty("kind").GetString()}"),
        ];
}
