using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>
/// <see cref="KilledClientTests"/> on real ZFS, whose holds, bookmarks and streams are not those of a model.
/// </summary>
[Collection("zfs-2")]
public sealed class KilledClientOnZfsTests(SecondZfsHost host)
{
    [Fact]
    public async Task Killed_at_random_moments_it_always_resumes_and_every_backup_restores()
    {
        await using var lab = await BackupLab.CreateEmptyAsync(host, 1, "data");
        await lab.RunKilledAtRandomAsync(RandomTest.Count(few: 2, many: 50), speed: 2);
    }
}
