using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Datasets;

/// <summary>
/// What happens to datasets and pools between two backups, as far as only real ZFS does it; see also <see
/// cref="Backups.DatasetHistoryTests"/>.
/// </summary>
[Collection("zfs")]
public sealed class DatasetHistoryOnZfsTests(ZfsHost host)
{
    /// <summary>The promoted clone has the snapshots of its origin then, which has none.</summary>
    [Fact]
    public async Task After_a_clone_was_promoted_both_are_backed_up_and_restore()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        var (data, clone) = ($"{client.Area}/data", $"{client.Area}/clone");
        await client.ShellAsync($"echo 1 > /{data}/file");
        var first = (await client.JsonAsync("zfs-client backup")).GetProperty("snapshot").GetString()!;
        await client.ShellAsync(
            $"zfs clone {first} {clone} && echo clone > /{clone}/file && zfs promote {clone} && "
                + $"echo data > /{data}/file"
        );

        var promoted = await client.JsonAsync($"zfs-client backup --dataset {clone}");
        var former = await client.JsonAsync($"zfs-client backup --dataset {data}");

        Assert.Equal(first.Replace(data, clone, StringComparison.Ordinal), promoted.GetProperty("base").GetString());
        await AssertRestoresAsync(client, promoted.GetProperty("snapshot").GetString()!);
        await AssertRestoresAsync(client, former.GetProperty("snapshot").GetString()!);
    }

    /// <summary>
    /// A boot loader reads a pool only as long as it knows the features that are active. The first backup has cron's
    /// PATH, which lacks the directory of <c>zfs</c>.
    /// </summary>
    [Fact]
    public async Task A_backup_makes_no_feature_active_that_a_boot_loader_would_have_to_know()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        var pool = $"boot{Guid.NewGuid().ToString("N")[..8]}";
        await client.ShellAsync(
            $"truncate -s 128M {client.Folder}/pool && zpool create -o compatibility=grub2 {pool} {client.Folder}/pool "
                + $"&& echo one > /{pool}/file"
        );
        try
        {
            var before = await ActiveAsync();
            var cron = $"PATH=/usr/bin:/bin {client.Host.ProgramFolder}/zfs-client";
            (await client.RunAsync($"{cron} backup --dataset {pool}")).MustSucceed();
            await client.JsonAsync($"zfs-client backup --dataset {pool}");

            // Read-only compatible (zpool-features(7)): a program that only reads need not know them. Any snapshot
            // activates the second.
            string[] harmless = ["feature@bookmarks", "feature@empty_bpobj"];
            Assert.Empty(
                (await ActiveAsync()).Except(before, StringComparer.Ordinal).Except(harmless, StringComparer.Ordinal)
            );
        }
        finally
        {
            await client.ShellAsync($"zpool destroy -f {pool}");
        }

        async Task<string[]> ActiveAsync() =>
            (
                await client.ShellAsync(
                    $"zpool sync {pool} && zpool get -H -o property,value all {pool} | sed -n 's/\tactive$//p'"
                )
            ).Split('\n');
    }

    [Fact]
    public async Task A_changed_key_travels_with_the_next_backup()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        var secret = $"{client.Area}/secret";
        await client.ShellAsync(
            $"echo 'a long passphrase' | zfs create {Passphrase.Options} {secret} && echo one > /{secret}/file"
        );
        await client.JsonAsync($"zfs-client backup --dataset {secret}");
        await client.ShellAsync($"echo 'another passphrase' | zfs change-key {secret} && echo two > /{secret}/file");

        var next = await client.JsonAsync($"zfs-client backup --dataset {secret}");
        (await client.RunAsync($"zfs-restore latest {client.Area}/back --source {secret}")).MustSucceed();

        Assert.Equal("incremental", next.GetProperty("kind").GetString());
        await client.ShellAsync($"echo 'another passphrase' | zfs load-key {client.Area}/back");
        var snapshot = next.GetProperty("snapshot").GetString()!;
        Assert.Equal(
            await client.TreeOfAsync(snapshot),
            await client.TreeOfAsync($"{client.Area}/back@{snapshot.Split('@')[1]}")
        );
    }

    private static async Task AssertRestoresAsync(ClientMachine client, string snapshot)
    {
        var target = $"{client.Area}/restored";
        (await client.RunAsync($"zfs-restore restore {snapshot} {target} --force")).MustSucceed();
        Assert.Equal(
            await client.TreeOfAsync(snapshot),
            await client.TreeOfAsync($"{target}@{snapshot.Split('@')[1]}")
        );
    }
}
