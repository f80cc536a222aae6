using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>
/// <see cref="KilledRestoreTests"/> on real ZFS, whose <c>zfs receive</c> decides what is kept of a killed restore.
/// </summary>
[Collection("zfs-2")]
public sealed class KilledRestoreOnZfsTests(SecondZfsHost host)
{
    [Fact]
    public async Task A_restore_that_is_killed_at_random_moments_is_resumed_each_time()
    {
        await using var lab = await RestoreLab.CreateAsync(host);
        await lab.RunKilledAtRandomAsync(RandomTest.Count(few: 2, many: 50));
    }
}
