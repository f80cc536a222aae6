using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.ZfsStorage;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Server.ZfsStorage;

public sealed class PossibleBasesTests
{
    private static readonly SnapshotInfo Older = Backups.Full(1) with
    {
        StorageType = StorageTypes.Local,
        StorageKey = "b/c/d@1",
    };
    private static readonly SnapshotInfo Newest = Backups.Full(2) with
    {
        StorageType = StorageTypes.Local,
        StorageKey = "b/c/d@2",
    };
    private static readonly SnapshotInfo Stored = Backups.Full(3);

    [Fact]
    public void Only_the_newest_snapshot_of_a_dataset_can_be_a_base() =>
        Assert.Equal([false, null], Mark(StorageTypes.Local, ["b/c/d@2"], Older, Newest));

    [Fact]
    public void A_backup_in_the_other_storage_is_no_base()
    {
        Assert.Equal([false, null], Mark(StorageTypes.Local, ["b/c/d@2"], Stored, Newest));
        Assert.Equal([null, false], Mark(StorageTypes.Objects, ["b/c/d@2"], Stored, Newest));
    }

    [Fact]
    public void Without_an_answer_of_ZFS_no_backup_is_marked() =>
        Assert.Equal([null, null], Mark(StorageTypes.Local, null, Older, Newest));

    private static bool?[] Mark(string storage, string[]? newest, params SnapshotInfo[] backups) =>
        [
            .. PossibleBases
                .Mark(backups, storage, newest?.ToHashSet(StringComparer.Ordinal))
                .Select(backup => backup.CanBeBase),
        ];
}
