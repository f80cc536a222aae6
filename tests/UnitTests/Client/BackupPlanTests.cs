using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Client;

public sealed class BackupPlanTests
{
    private static readonly DatasetName Dataset = DatasetName.Parse("tank/data");

    [Fact]
    public void Without_anything_shared_it_is_full()
    {
        var plan = BackupPlan.Make(BackupMode.Automatic, Dataset, [Snapshot(1)], []);

        Assert.False(plan.IsIncremental);
        Assert.Equal(["-L"], plan.SendFlags);
    }

    [Fact]
    public void The_newest_shared_one_is_the_base_whatever_the_clock_said()
    {
        LocalSnapshot[] local =
        [
            Bookmark(1) with { Creation = DateTimeOffset.UnixEpoch.AddYears(90) },
            Bookmark(2) with { Creation = DateTimeOffset.UnixEpoch },
        ];

        var plan = BackupPlan.Make(BackupMode.Automatic, Dataset, local, [Backups.Full(1), Backups.Incremental(2, 1)]);

        Assert.Equal(2UL, plan.Base?.Guid.Value);
    }

    [Fact]
    public void A_bookmark_is_preferred_to_the_snapshot_it_was_made_of()
    {
        var plan = BackupPlan.Make(BackupMode.Automatic, Dataset, [Snapshot(1), Bookmark(1)], [Backups.Full(1)]);

        Assert.True(plan.Base?.Name.IsBookmark);
    }

    [Fact]
    public void A_snapshot_without_a_bookmark_serves_as_well()
    {
        var plan = BackupPlan.Make(BackupMode.Incremental, Dataset, [Snapshot(1)], [Backups.Full(1)]);

        Assert.Equal("tank/data@s1", plan.Base?.Name.ToString());
    }

    [Fact]
    public void A_backup_whose_chain_is_broken_is_no_base()
    {
        var plan = BackupPlan.Make(BackupMode.Automatic, Dataset, [Bookmark(1), Bookmark(3)], [Backups.Full(1), Backups.Incremental(3, 2)]);

        Assert.Equal(1UL, plan.Base?.Guid.Value);
    }

    [Fact]
    public void A_chain_keeps_the_flags_it_began_with()
    {
        var plan = BackupPlan.Make(BackupMode.Automatic, Dataset, [Bookmark(1)], [Backups.Make(1, null, "tank/data", raw: false, "-e")]);

        Assert.Equal(["-e"], plan.SendFlags);
    }

    [Fact]
    public void A_full_one_that_is_asked_for_is_full()
    {
        Assert.False(BackupPlan.Make(BackupMode.Full, Dataset, [Bookmark(1)], [Backups.Full(1)]).IsIncremental);
    }

    [Fact]
    public void An_incremental_without_a_base_is_refused_with_the_remedy()
    {
        var refused = Assert.Throws<OperationException>(() => BackupPlan.Make(BackupMode.Incremental, Dataset, [Bookmark(5)], [Backups.Full(1)]));

        Assert.Equal(ExitCode.Conflict, refused.ExitCode);
        Assert.Contains("backup-full", refused.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_are_chosen_in_UTC_and_never_twice()
    {
        var now = new DateTimeOffset(2026, 10, 25, 2, 30, 0, TimeSpan.FromHours(2)); // the hour that comes twice in central Europe

        var first = SnapshotNaming.Choose(Dataset, "zsm", now, []);
        var second = SnapshotNaming.Choose(Dataset, "zsm", now, [first.AsBookmark()]);
        var third = SnapshotNaming.Choose(Dataset, "zsm", now, [first, second]);

        Assert.Equal("tank/data@zsm-manual-2026-10-25_00:30:00Z", first.ToString());
        Assert.Equal("tank/data@zsm-manual-2026-10-25_00:30:00Z-2", second.ToString());
        Assert.Equal("tank/data@zsm-manual-2026-10-25_00:30:00Z-3", third.ToString());
    }

    private static LocalSnapshot Snapshot(ulong guid) =>
        new(SnapshotName.Parse($"tank/data@s{guid}"), new SnapshotGuid(guid), CreateTxg: guid * 10, DateTimeOffset.UnixEpoch, Upload: null);

    private static LocalSnapshot Bookmark(ulong guid) => Snapshot(guid) with { Name = SnapshotName.Parse($"tank/data#s{guid}") };
}
