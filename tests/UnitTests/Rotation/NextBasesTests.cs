using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Rotation;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Rotation;

public sealed class NextBasesTests
{
    private static readonly MarkOwner Owner = new("5e1fc0de", "web1");

    [Fact]
    public void Each_storage_has_a_base_of_its_own()
    {
        SnapshotInfo[] backups =
        [
            Backups.Full(1) with
            {
                StorageType = StorageTypes.Local,
                CanBeBase = false,
            },
            Backups.Full(2),
            Backups.Full(3) with
            {
                CanBeBase = false,
            },
        ];

        Assert.Equal<ulong>([1, 2, 3], NextBases.Find(Bookmarks(4), backups).Select(guid => guid.Value).Order());
        Assert.Empty(NextBases.Find(Bookmarks(4), []));
    }

    [Fact]
    public void The_bookmark_that_the_other_storage_starts_from_stays_however_many_newer_ones_exist()
    {
        var local = Bookmarks(150);
        SnapshotInfo[] backups =
        [
            .. Enumerable
                .Range(1, 150)
                .Select(n =>
                    Backups.Full((ulong)n) with
                    {
                        StorageType = n == 3 ? StorageTypes.Local : StorageTypes.Objects,
                    }
                ),
        ];
        var onServer = backups.Select(backup => backup.SnapshotGuid).ToHashSet();

        var plan = LocalRotation.Plan(
            local,
            new RotationPolicy(),
            onServer,
            [Owner],
            keepManual: null,
            NextBases.Find(local, backups)
        );

        Assert.True(plan.Single(decision => decision.Item.Guid.Value == 3).Keep);
        Assert.Equal(101, plan.Count(decision => decision.Keep));
    }

    private static LocalSnapshot[] Bookmarks(int count) =>
        [
            .. Enumerable
                .Range(1, count)
                .Select(n => new LocalSnapshot(
                    SnapshotName.Parse($"tank/data#s{n}.{Owner.Tag}"),
                    new SnapshotGuid((ulong)n),
                    (ulong)n,
                    DateTimeOffset.UnixEpoch,
                    null
                )),
        ];
}
