using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>
/// What keeping received data needs of real ZFS: full quotas, other programs' snapshots, devices of volumes. See
/// <see cref="KeptRestoreTests"/> for failures of every kind.
/// </summary>
[Collection("zfs-2")]
public sealed class KeptRestoreOnZfsTests(SecondZfsHost host)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_full_quota_keeps_what_was_received_and_with_more_room_the_restore_resumes()
    {
        await using var lab = await RestoreLab.CreateAsync(
            host,
            "zfs create AREA/data && head -c 3M /dev/urandom > /AREA/data/a && sync"
        );
        await lab.Client.ShellAsync(
            $"head -c 6M /dev/urandom > /{lab.Source}/b && sync && zfs create -o quota=7M {lab.Client.Area}/small"
        );
        await lab.BackUpAsync();
        var restore = $"zfs-restore latest {lab.Client.Area}/small/restored";

        var full = await lab.Client.RunAsync(restore);
        var doctor = await lab.Client.RunAsync($"zfs-restore doctor {lab.Client.Area}/small");
        await lab.Client.ShellAsync($"zfs set quota=50M {lab.Client.Area}/small");
        var resumed = (await lab.Client.JsonAsync(restore)).GetProperty("resumed");

        Assert.Equal(10, full.ExitCode);
        Assert.Contains("quota", full.Error, StringComparison.Ordinal);
        Assert.Contains("run the same command again to resume", full.Error, StringComparison.Ordinal);
        Assert.Matches("warning  room: .*probably does not fit", doctor.Output);
        Assert.InRange(resumed.GetProperty("stream_bytes").GetInt64(), 1, 7 << 20);
        Assert.Equal(
            await lab.Client.ShellAsync($"sha256sum < /{lab.Source}/b"),
            await lab.Client.ShellAsync(
                $"zfs set mountpoint=/tmp/{lab.Client.Id} {lab.Client.Area}/small/restored && zfs mount "
                    + $"{lab.Client.Area}/small/restored && sha256sum < /tmp/{lab.Client.Id}/b"
            )
        );
    }

    [Fact]
    public async Task A_raw_chain_is_restored_beside_a_program_that_makes_snapshots_all_the_time()
    {
        await using var lab = await RestoreLab.CreateAsync(
            host,
            $"echo 'a long passphrase' | zfs create {Passphrase.Options} AREA/data && head -c 2M "
                + "/dev/urandom > /AREA/data/a && sync"
        );
        foreach (var file in (string[])["b", "c", "d"])
        {
            await lab.Client.ShellAsync($"head -c 2M /dev/urandom > /{lab.Source}/{file} && sync");
            await lab.BackUpAsync();
        }

        using var tool = lab.Client.Start(
            $"while [ ! -e {lab.Client.Folder}/stop ]; do zfs snapshot {lab.Partial}@auto$(date +%s%N) 2>/dev/null; "
                + "done"
        );
        var restore = await lab.Client.RunAsync($"zfs-restore latest {lab.Target}");
        await lab.Client.ShellAsync($"touch {lab.Client.Folder}/stop");
        await tool.WaitForExitAsync(Token);

        Assert.Contains("another program made", restore.MustSucceed().Error, StringComparison.Ordinal);
        Assert.Equal(
            await lab.Client.GuidsOfAsync(lab.Source),
            (
                await lab.Client.ShellAsync(
                    $"zfs list -H -o name,guid -t snapshot -d 1 {lab.Target} | grep -v @auto | cut -f 2"
                )
            ).Split('\n')
        );
    }

    [Fact]
    public async Task Snapshots_of_a_whole_interrupted_tree_are_destroyed_and_nothing_is_received_again()
    {
        await using var lab = await RestoreLab.CreateAsync(
            host,
            "zfs create AREA/data && zfs create AREA/data/a && zfs create AREA/data/b && head -c 2M /dev/urandom > "
                + "/AREA/data/a/file && head -c 4M /dev/urandom > /AREA/data/b/file && sync"
        );
        await lab.SetAsync("RECURSIVE=true");
        await lab.BackUpAsync();
        var hold = await lab.Client.HoldStreamsAsync();
        using var restore = lab.Client.Start(
            $"{hold} exec zfs-restore latest {lab.Target} --source {lab.Source} --recursive"
        );
        await host.WaitForAsync("the first child is complete", $"zfs list {lab.Partial}/b.restoring");
        await lab.KillRestoreAsync();
        await restore.WaitForExitAsync(Token);
        await lab.Client.ShellAsync(
            $"touch {lab.Client.Folder}/go; for i in $(seq 50); do pgrep -f '[z]fs receive.*{lab.Partial}' || break; "
                + $"sleep 0.2; done; zfs snapshot {lab.Partial}@hourly; zfs snapshot {lab.Partial}/a@hourly"
        );

        var next = await lab.Client.RunAsync($"zfs-restore latest {lab.Target} --source {lab.Source} --recursive");

        Assert.Contains($"Destroying {lab.Partial}/a@hourly", next.MustSucceed().Error, StringComparison.Ordinal);
        Assert.DoesNotContain($"{lab.Source}/a:", next.Error, StringComparison.Ordinal);
        Assert.Equal(
            "",
            await lab.Client.ShellAsync($"zfs list -H -o name -t snapshot -r {lab.Target} | grep hourly || true")
        );
        await lab.AssertNoTracesAsync();
    }

    [Fact]
    public async Task A_volume_has_no_device_until_it_is_complete_and_an_open_one_is_not_destroyed_piece_by_piece()
    {
        await using var lab = await RestoreLab.CreateAsync(
            host,
            "zfs create -V 8M -o volblocksize=16K AREA/data && for i in $(seq 100); do [ -b /dev/zvol/AREA/data ] "
                + "&& break; sleep 0.1; done && head -c 6M /dev/urandom > /dev/zvol/AREA/data && sync"
        );
        await lab.Client.ShellAsync($"head -c 1M /dev/urandom > /dev/zvol/{lab.Source} && sync");
        await lab.BackUpAsync();
        var hold = await lab.Client.HoldStreamsAsync();
        using var restore = lab.Client.Start($"{hold} exec zfs-restore latest {lab.Target}");
        // `zfs receive` creates the dataset and sets its properties afterwards, both before the stream's data.
        await host.WaitForAsync(
            "it is being received without a device",
            $"[ \"$(echo $(zfs get -H -o value,source volmode {lab.Partial}))\" = 'none local' ]"
        );
        await lab.Client.ReleaseAsync();
        await restore.WaitForExitAsync(Token);
        Assert.Equal(
            "default default",
            await lab.Client.ShellAsync($"echo $(zfs get -H -o value,source volmode {lab.Target})")
        );
        await lab.AssertRestoredAsync();
        using var user = lab.Client.Start($"exec sleep 300 < /dev/zvol/{lab.Target}");
        await host.WaitForAsync("it is open", $"ls -l /proc/[0-9]*/fd/0 2>/dev/null | grep -q /dev/zd");

        var forced = await lab.Client.RunAsync($"zfs-restore latest {lab.Target} --source {lab.Source} --force");
        var kept = await lab.Client.SnapshotsOfAsync($"{lab.Target}.replaced");
        var refused = await lab.Client.RunAsync($"zfs-restore latest {lab.Target} --source {lab.Source} --force");
        await host.RunAsync("pkill -x sleep");
        await user.WaitForExitAsync(Token);

        Assert.Contains("still open", forced.MustSucceed().Error, StringComparison.Ordinal);
        Assert.Equal(2, kept.Length);
        Assert.Equal(9, refused.ExitCode);
        Assert.Contains("because it was in use, held or had a clone", refused.Error, StringComparison.Ordinal);
        // mdev looks at a device that was closed, and has it open for a moment.
        await host.WaitForAsync("it can be destroyed", $"zfs destroy -r {lab.Target}.replaced 2>/dev/null");
        (await lab.Client.RunAsync($"zfs-restore latest {lab.Target} --source {lab.Source} --force")).MustSucceed();
        await lab.AssertRestoredAsync();
    }
}
