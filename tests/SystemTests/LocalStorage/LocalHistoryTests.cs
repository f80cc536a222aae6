using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>What others do to the server's datasets, and trees of several kinds, with backups kept in ZFS.</summary>
[Collection("zfs-2")]
public sealed class LocalHistoryTests(SecondZfsHost host)
{
    /// <summary>A snapshot tool on the server's pool: ZFS receives no incremental behind its snapshot.</summary>
    [Fact]
    public async Task A_foreign_snapshot_in_the_store_costs_one_full_backup_at_most()
    {
        await using var lab = await LocalLab.CreateAsync(host);
        await lab.FillAsync("first", 1);
        await lab.BackUpAsync();
        await lab.Host.OutputAsync($"zfs snapshot {lab.Received}@autosnap");
        await lab.FillAsync("second", 1);

        await lab.BackUpAsync();
        await lab.FillAsync("third", 1);
        var next = await lab.BackUpAsync();

        Assert.Equal("incremental", next.GetProperty("kind").GetString());
        await lab.AssertRestoresAsync(next.GetProperty("snapshot").GetString()!);
        (await lab.Client.RunAsync("zfs-restore verify all")).MustSucceed();
        Assert.Contains($"{lab.Received}@autosnap", await lab.ReceivedNamesAsync());
    }

    [Fact]
    public async Task A_tree_that_is_partly_encrypted_comes_back_with_its_mixture()
    {
        await using var lab = await LocalLab.CreateAsync(host);
        var (mixed, back) = ($"{lab.Client.Area}/mixed", $"{lab.Client.Area}/back");
        await lab.Client.ShellAsync(
            $"echo 'a long passphrase' | zfs create {Passphrase.Options} {mixed} && zfs create -o encryption=off "
                + $"{mixed}/plain && echo secret > /{mixed}/file && echo plain > /{mixed}/plain/file && sync"
        );
        await lab.Client.ResultsAsync($"zfs-client backup --dataset {mixed} --recursive");

        var restored = await lab.Client.RunAsync($"zfs-restore latest {back} --source {mixed} --recursive");

        restored.MustSucceed();
        Assert.Equal(
            "aes-256-gcm off",
            await lab.Client.ShellAsync($"echo $(zfs get -H -o value encryption {back} {back}/plain)")
        );
        Assert.Equal(
            "secret plain",
            await lab.Client.ShellAsync(
                $"echo 'a long passphrase' | zfs load-key {back} && echo $(for d in {back} {back}/plain; do "
                    + "m=$(mktemp -d) && zfs set mountpoint=$m $d && zfs mount $d && cat $m/file && zfs unmount $d; "
                    + "done)"
            )
        );
    }
}
