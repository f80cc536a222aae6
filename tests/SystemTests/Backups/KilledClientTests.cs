using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>
/// The client is killed at random moments of its backups; the next run always resumes. On the stand-in for <c>zfs</c>;
/// see also <see cref="KilledClientOnZfsTests"/>.
/// </summary>
public sealed class KilledClientTests
{
    [Fact]
    public async Task Killed_at_random_moments_it_always_resumes_and_every_backup_restores()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost());
        await lab.RunKilledAtRandomAsync(RandomTest.Count(few: 12, many: 300), speed: 8);
    }
}
