using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>
/// What real ZFS must show of a backup that is told to stop: its snapshot can be destroyed, although it was held and
/// <c>zfs send</c> read it. See <see cref="InterruptedBackupTests"/> for all that can interrupt it.
/// </summary>
[Collection("zfs")]
public sealed class InterruptedBackupOnZfsTests(ZfsHost host)
{
    [Fact]
    public async Task A_client_that_is_told_to_stop_before_anything_is_stored_cleans_up()
    {
        await using var lab = await BackupLab.CreateSlowAsync(host, BackupLab.OneBody);
        await lab.RunStoppedAsync("INT", 130);
    }
}
