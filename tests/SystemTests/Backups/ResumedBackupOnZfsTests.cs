using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>
/// What an interrupted backup needs of real ZFS: that <c>zfs send -t</c> continues the very stream, from a snapshot
/// that was held meanwhile. See <see cref="ResumedBackupTests"/> for all that can interrupt it.
/// </summary>
[Collection("zfs")]
public sealed class ResumedBackupOnZfsTests(ZfsHost host)
{
    [Fact]
    public async Task A_killed_backup_resumes_and_the_next_one_builds_on_it()
    {
        await using var lab = await BackupLab.CreateAsync(host);
        await lab.RunInterruptedAsync("KILL", 137);
    }

    [Fact]
    public async Task An_incremental_resumes_from_its_bookmark()
    {
        await using var lab = await BackupLab.CreateEmptyAsync(host, 1, "data");
        await lab.Client.WriteAsync("data", ("large", 1 << 20));
        await lab.RunFromBookmarkAsync();
    }

    [Fact]
    public async Task A_volume_resumes_block_for_block()
    {
        await using var lab = await BackupLab.CreateEmptyAsync(host, 1);
        var client = lab.Client;
        var device = $"for i in $(seq 50); do [ -e /dev/zvol/{lab.Dataset} ] && break; sleep 0.1; done";
        await client.ShellAsync(
            $"zfs create -s -V 64M {lab.Dataset} && {device}; dd if=/dev/urandom of=/dev/zvol/{lab.Dataset} bs=1M "
                + "count=16 conv=notrunc 2>/dev/null && sync"
        );
        await lab.InterruptAsync("KILL", 137);

        var next = await client.JsonAsync("zfs-client backup-full");

        Assert.True(next.GetProperty("resumed").GetProperty("from_bytes").GetInt64() > 0);
        await client.JsonAsync($"zfs-restore latest {client.Area}/restored");
        var digests = await client.ShellAsync(
            $"{device}; for v in {lab.Dataset} {client.Area}/restored; do for i in $(seq 50); do [ -e /dev/zvol/$v ] "
                + "&& break; sleep 0.1; done; sha256sum < /dev/zvol/$v; done"
        );
        Assert.Single(digests.Split('\n').Distinct());
    }
}
