using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>
/// The server is killed at each step of a commit behind the snapshot. <see cref="LocalUploadOnZfsTests"/> has one of
/// them on real ZFS.
/// </summary>
public sealed class LocalCrashTests
{
    [Theory]
    [InlineData("after receive", 0)]
    [InlineData("after receive", 3)]
    [InlineData("before " + InterruptedCommit.Note, 3)]
    [InlineData("after " + InterruptedCommit.Note, 3)]
    public Task A_backup_whose_commit_was_interrupted_after_its_snapshot_is_listed_once(string moment, int megabytes) =>
        InterruptedCommit.RunAsync(new StandInHost(), moment, megabytes);
}
