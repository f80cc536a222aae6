using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>What was backed up comes back equal: files, their metadata, and the snapshots' GUIDs.</summary>
[Collection("zfs")]
public sealed class RoundTripTests(ZfsHost host)
{
    /// <summary>
    /// Shell that fills the current folder with a variety of files; deterministic sizes, random contents.
    /// </summary>
    private const string Fill =
        "mkdir -p deep/er/est many && for i in $(seq 1 200); do echo file $i > many/$i; done && "
        + "dd if=/dev/urandom of=random bs=1M count=5 2>/dev/null && yes some words that compress well | head -c "
        + "4000000 > text && "
        + "truncate -s 50M sparse && echo end >> sparse && ln -s ../many/1 deep/link && ln many/2 deep/hard && chmod "
        + "4711 many/3 && chown 12:34 many/4 && "
        + "touch -d @1000000000.123456789 many/5 && setfattr -n user.note -v hello many/6 && : > empty && mkdir 'a "
        + "dir' && echo x > 'a dir/odd \"name\" é'";

    private const string Change =
        "rm -r many/1* && mv many/2 renamed && echo more >> text && dd if=/dev/urandom of=random bs=1M count=2 "
        + "seek=1 conv=notrunc 2>/dev/null && "
        + "truncate -s 1M sparse && ln -sfn elsewhere deep/link && chmod 600 many/3 && setfattr -n user.note -v "
        + "changed many/6 && mkdir new && cp text new/copy && rm text";

    [Fact]
    public async Task A_full_backup_and_three_incrementals_restore_at_every_point()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        string[] changes =
        [
            Fill,
            Change,
            "rm -r * && mkdir fresh && echo a > fresh/a",
            "dd if=/dev/urandom of=again bs=1M count=3 2>/dev/null",
        ];
        List<string> snapshots = [];
        foreach (var change in changes)
        {
            await client.ShellAsync($"cd /{client.Area}/data && {change}");
            var backup = await client.JsonAsync("zfs-client backup");
            Assert.Equal(snapshots.Count == 0 ? "full" : "incremental", backup.GetProperty("kind").GetString());
            if (snapshots.Count > 0)
                Assert.Equal(snapshots[^1], backup.GetProperty("base").GetString());
            snapshots.Add(backup.GetProperty("snapshot").GetString()!);
        }

        // All of the chain, the middle of it, and the full backup alone.
        foreach (var number in (int[])[1, 3, snapshots.Count])
        {
            var (target, points) = ($"{client.Area}/restored{number}", snapshots.SkipLast(number - 1).ToList());
            await client.JsonAsync($"zfs-restore restore {number} {target}");
            Assert.Equal(points.Count, (await client.SnapshotsOfAsync(target)).Length);
            if (number != 1)
                points = [points[^1]];
            await client.AssertSameAsync([.. points.Select(point => (point, target))]);
        }
    }

    [Fact]
    public async Task An_incremental_starts_from_a_bookmark_whose_snapshot_is_gone()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        await client.ShellAsync($"cd /{client.Area}/data && {Fill}");
        var first = await client.JsonAsync("zfs-client backup");
        await client.ShellAsync(
            $"zfs destroy '{first.GetProperty("snapshot").GetString()}' && cd /{client.Area}/data && {Change}"
        );

        var second = await client.JsonAsync("zfs-client backup-incremental");

        Assert.Equal("incremental", second.GetProperty("kind").GetString());
        await client.JsonAsync($"zfs-restore latest {client.Area}/restored");
        await client.AssertSameAsync(second.GetProperty("snapshot").GetString()!, $"{client.Area}/restored");
    }

    [Fact]
    public async Task An_empty_dataset_comes_back_empty()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");

        var full = await client.JsonAsync("zfs-client backup");
        var unchanged = await client.JsonAsync("zfs-client backup");

        Assert.Equal("incremental", unchanged.GetProperty("kind").GetString());
        await client.JsonAsync($"zfs-restore restore 1 {client.Area}/restored");
        await client.AssertSameAsync(
            (unchanged.GetProperty("snapshot").GetString()!, $"{client.Area}/restored"),
            (full.GetProperty("snapshot").GetString()!, $"{client.Area}/restored")
        );
    }

    [Fact]
    public async Task A_volume_comes_back_block_for_block()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server);
        var volume = $"{client.Area}/vol";
        await client.ShellAsync($"zfs create -s -V 64M {volume}");
        await client.WriteSettingsAsync($"LOCAL_DATASET={volume}");
        await WriteVolumeAsync(client, volume, "bs=1M count=6");
        await client.JsonAsync("zfs-client backup");
        await WriteVolumeAsync(client, volume, "bs=64k count=20 seek=30");
        var second = await client.JsonAsync("zfs-client backup");

        await client.JsonAsync($"zfs-restore latest {client.Area}/restored");

        Assert.Equal("volume", (await client.ListBackupsAsync())[0].GetProperty("dataset_type").GetString());
        Assert.Equal(
            await DigestOfVolumeAsync(client, volume),
            await DigestOfVolumeAsync(client, $"{client.Area}/restored")
        );
        Assert.Equal(
            await client.GuidOfAsync(second.GetProperty("snapshot").GetString()!),
            await client.GuidOfAsync(
                $"{client.Area}/restored@{second.GetProperty("snapshot").GetString()!.Split('@')[1]}"
            )
        );
        var mount = await client.RunAsync($"zfs-restore mount {client.Area}/restored /mnt/volume");
        Assert.Equal(9, mount.ExitCode);
        Assert.Contains("is a volume", mount.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Names_that_ZFS_allows_are_backed_up_and_restored()
    {
        string[] names =
        [
            "all",
            "all/with_underscore",
            "all/with-dash.and.dots",
            "all/with:colon",
            "all/with some spaces",
            "all/deep",
            "all/deep/er_and",
            "all/deep/er_and/deep-er",
        ];
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, names);
        await client.ShellAsync(
            string.Join(" && ", names.Select(name => $"echo {name} > '/{client.Area}/{name}/file'"))
        );
        await client.WriteSettingsAsync(
            $"LOCAL_DATASET={string.Join(',', names.Select(name => $"{client.Area}/{name}"))}"
        );

        var backups = await client.ResultsAsync("zfs-client backup");
        await client.JsonAsync(
            $"zfs-restore latest '{client.Area}/all restored' --source {client.Area}/all --recursive"
        );

        var snapshots = backups.Select(backup => backup.GetProperty("snapshot").GetString()!).ToArray();
        Assert.Equal(names.Length, snapshots.Length);
        await client.AssertSameAsync([
            .. snapshots.Select(snapshot =>
                (
                    snapshot,
                    snapshot
                        .Split('@')[0]
                        .Replace($"{client.Area}/all", $"{client.Area}/all restored", StringComparison.Ordinal)
                )
            ),
        ]);
    }

    [Fact]
    public async Task Datasets_whose_keys_look_alike_stay_apart()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "a/b", "a_b");
        string[] datasets = [$"{client.Area}/a/b", $"{client.Area}/a_b"];
        foreach (var dataset in datasets)
            await client.ShellAsync($"echo {dataset} > /{dataset}/name");

        // Each twice, as fast as it goes: within one second their keys fall together.
        foreach (var dataset in (string[])[.. datasets, .. datasets])
            await client.JsonAsync($"zfs-client backup --dataset {dataset}");

        var backups = await client.ListBackupsAsync();
        Assert.Equal(4, backups.Select(b => b.GetProperty("snapshot_id").GetString()).Distinct().Count());
        foreach (var dataset in datasets)
        {
            Assert.Equal(
                [false, true],
                backups
                    .Where(b => b.GetProperty("dataset_name").GetString() == dataset)
                    .Reverse()
                    .Select(b => b.TryGetProperty("from_guid", out _))
            );
            await client.JsonAsync($"zfs-restore latest {client.Area}/restored --force --source {dataset}");
            await client.AssertSameAsync(
                (await client.SnapshotsOfAsync(dataset)).Last(name => name.Contains('@', StringComparison.Ordinal)),
                $"{client.Area}/restored"
            );
        }
    }

    [Fact]
    public async Task An_uncompressed_backup_is_the_plain_stream()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        await client.WriteSettingsAsync($"LOCAL_DATASET={client.Area}/data", "COMPRESS=false");
        await client.ShellAsync($"cd /{client.Area}/data && {Fill}");

        var backup = await client.JsonAsync("zfs-client backup");
        await client.JsonAsync("zfs-restore save 1 plain.zfs");

        Assert.EndsWith(
            ".zfs",
            backup.GetProperty("backup").GetProperty("storage_key").GetString(),
            StringComparison.Ordinal
        );
        await client.ShellAsync($"zfs receive -u {client.Area}/restored < {client.Folder}/plain.zfs");
        await client.AssertSameAsync(backup.GetProperty("snapshot").GetString()!, $"{client.Area}/restored");
    }

    [Fact]
    public async Task A_stored_object_is_restored_by_gunzip_and_zfs_receive_alone()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        await client.ShellAsync($"cd /{client.Area}/data && {Fill}");
        var backup = await client.JsonAsync("zfs-client backup");
        var stored = Path.Combine(
            server.DataFolder,
            "objects",
            backup.GetProperty("backup").GetProperty("storage_key").GetString()!
        );

        (
            await host.RunAsync(
                $"gunzip | zfs receive -u {client.Area}/restored",
                await File.ReadAllBytesAsync(stored, TestContext.Current.CancellationToken)
            )
        ).MustSucceed();

        await client.AssertSameAsync(backup.GetProperty("snapshot").GetString()!, $"{client.Area}/restored");
    }

    private static Task<string> WriteVolumeAsync(ClientMachine client, string volume, string how) =>
        client.ShellAsync(
            $"for i in $(seq 50); do [ -e /dev/zvol/{volume} ] && break; sleep 0.1; done; dd if=/dev/urandom "
                + $"of=/dev/zvol/{volume} {how} conv=notrunc 2>/dev/null && sync"
        );

    private static Task<string> DigestOfVolumeAsync(ClientMachine client, string volume) =>
        client.ShellAsync(
            $"for i in $(seq 50); do [ -e /dev/zvol/{volume} ] && break; sleep 0.1; done; sha256sum < "
                + $"/dev/zvol/{volume}"
        );
}
