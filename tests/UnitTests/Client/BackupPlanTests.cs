using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Client;

public sealed class BackupPlanTests
{
    private static readonly DatasetName Dataset = DatasetName.Parse("tank/data");

    [Fact]
    public void Without_a_shared_snapshot_the_backup_is_full()
    {
        var plan = BackupPlan.Make(BackupMode.Automatic, Dataset, ZfsSend.DefaultFlags, [Snapshot(1)], [], 60);

        Assert.False(plan.IsIncremental);
        Assert.Equal(["-L"], plan.SendFlags);
    }

    [Fact]
    public void The_newest_shared_snapshot_is_the_base_whatever_the_clock_said()
    {
        LocalSnapshot[] local =
        [
            Bookmark(1) with
            {
                Creation = DateTimeOffset.UnixEpoch.AddYears(90),
            },
            Bookmark(2) with
            {
                Creation = DateTimeOffset.UnixEpoch,
            },
        ];

        var plan = BackupPlan.Make(
            BackupMode.Automatic,
            Dataset,
            ZfsSend.DefaultFlags,
            local,
            [Backups.Full(1), Backups.Incremental(2, 1)],
            60
        );

        Assert.Equal(2UL, plan.Base?.Guid.Value);
    }

    [Fact]
    public void A_snapshot_is_preferred_to_the_bookmark_that_was_made_of_it()
    {
        var plan = BackupPlan.Make(
            BackupMode.Automatic,
            Dataset,
            ZfsSend.DefaultFlags,
            [Bookmark(1), Snapshot(1)],
            [Backups.Full(1)],
            60
        );

        Assert.Equal("tank/data@s1", plan.Base?.Name.ToString());
    }

    [Fact]
    public void A_snapshot_without_a_bookmark_also_serves_as_base()
    {
        var plan = BackupPlan.Make(
            BackupMode.Incremental,
            Dataset,
            ZfsSend.DefaultFlags,
            [Snapshot(1)],
            [Backups.Full(1)],
            60
        );

        Assert.Equal("tank/data@s1", plan.Base?.Name.ToString());
    }

    [Fact]
    public void A_backup_whose_chain_is_broken_is_no_base()
    {
        var plan = BackupPlan.Make(
            BackupMode.Automatic,
            Dataset,
            ZfsSend.DefaultFlags,
            [Bookmark(1), Bookmark(3)],
            [Backups.Full(1), Backups.Incremental(3, 2)],
            60
        );

        Assert.Equal(1UL, plan.Base?.Guid.Value);
    }

    [Fact]
    public void A_backup_that_the_server_accepts_no_incremental_on_is_no_base()
    {
        var local = Backups.Full(2) with { StorageType = StorageTypes.Local, CanBeBase = false };

        Assert.Equal(
            1UL,
            BackupPlan
                .Make(
                    BackupMode.Automatic,
                    Dataset,
                    ZfsSend.DefaultFlags,
                    [Bookmark(1), Bookmark(2)],
                    [Backups.Full(1), local],
                    60
                )
                .Base?.Guid.Value
        );
        Assert.False(
            BackupPlan
                .Make(BackupMode.Automatic, Dataset, ZfsSend.DefaultFlags, [Bookmark(2)], [local], 60)
                .IsIncremental
        );
    }

    [Fact]
    public void A_chain_keeps_the_flags_of_its_full_backup()
    {
        var plan = BackupPlan.Make(
            BackupMode.Automatic,
            Dataset,
            ZfsSend.DefaultFlags,
            [Bookmark(1)],
            [Backups.Make(1, null, "tank/data", raw: false, "-e")],
            60
        );

        Assert.Equal(["-e"], plan.SendFlags);
    }

    [Fact]
    public void A_requested_full_backup_is_full()
    {
        Assert.False(
            BackupPlan
                .Make(BackupMode.Full, Dataset, ZfsSend.DefaultFlags, [Bookmark(1)], [Backups.Full(1)], 60)
                .IsIncremental
        );
    }

    [Fact]
    public void An_incremental_without_a_base_is_refused_with_the_remedy()
    {
        var refused = Assert.Throws<OperationException>(() =>
            BackupPlan.Make(BackupMode.Incremental, Dataset, ZfsSend.DefaultFlags, [Bookmark(5)], [Backups.Full(1)], 60)
        );

        Assert.Equal(ExitCode.Conflict, refused.ExitCode);
        Assert.Contains("backup-full", refused.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(3, false)]
    [InlineData(0, false)]
    public void A_chain_of_the_maximum_length_is_followed_by_a_full_backup(int maxChain, bool full)
    {
        SnapshotInfo[] remote = [Backups.Full(1), Backups.Incremental(2, 1), Backups.Incremental(3, 2)];

        var plan = BackupPlan.Make(
            BackupMode.Automatic,
            Dataset,
            ZfsSend.DefaultFlags,
            [Bookmark(3)],
            remote,
            maxChain
        );

        Assert.Equal(full, !plan.IsIncremental);
        if (full)
            Assert.Contains("MAX_CHAIN is 2", plan.Reason, StringComparison.Ordinal);
        Assert.True(
            BackupPlan
                .Make(BackupMode.Incremental, Dataset, ZfsSend.DefaultFlags, [Bookmark(3)], remote, maxChain)
                .IsIncremental
        );
    }

    [Theory]
    [InlineData("zsm-manual-2026-10-25_00:30:00Z", true)]
    [InlineData("zsm-hourly-x", true)]
    [InlineData("zsm-mine", false)]
    [InlineData("zsm-mine-1", false)]
    [InlineData("other-hourly-1", false)]
    [InlineData("zsm-manual-2026-10-25_00:30:00Z.abcdefgh", false)]
    public void Bookmarks_of_earlier_versions_are_recognised_by_their_names(string leaf, bool old) =>
        Assert.Equal(old, SnapshotNaming.IsOldBookmark(SnapshotName.Parse($"tank/data#{leaf}"), "zsm"));

    [Fact]
    public void Names_are_chosen_in_UTC_and_never_twice()
    {
        // The hour that occurs twice in central Europe.
        var now = new DateTimeOffset(2026, 10, 25, 2, 30, 0, TimeSpan.FromHours(2));

        var stem = SnapshotNaming.StemOf("zsm", SnapshotType.Manual, now);
        var first = SnapshotNaming.Choose(stem, new HashSet<string>());
        var second = SnapshotNaming.Choose(stem, new HashSet<string> { first });
        var third = SnapshotNaming.Choose(stem, new HashSet<string> { first, second });
        var bookmark = new MarkOwner("5e1fc0de", "web1").BookmarkOf(
            SnapshotName.Snapshot(DatasetName.Parse("tank/data"), first),
            new SnapshotGuid(1)
        );
        Assert.Equal(first, SnapshotNaming.LeafOf(bookmark));

        Assert.Equal("zsm-manual-2026-10-25_00:30:00Z", first);
        Assert.Equal("zsm-manual-2026-10-25_00:30:00Z-2", second);
        Assert.Equal("zsm-manual-2026-10-25_00:30:00Z-3", third);
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Raw_and_other_backups_never_mix_in_a_chain(bool chainIsRaw, bool raw)
    {
        SnapshotInfo[] remote = [Backups.Make(1, null, "tank/data", chainIsRaw, chainIsRaw ? "-w" : "-L")];

        var plan = BackupPlan.Make(BackupMode.Automatic, Dataset, raw ? ["-w"] : ["-L"], [Bookmark(1)], remote, 60);

        Assert.Equal(chainIsRaw == raw, plan.IsIncremental);
        Assert.Equal(raw, plan.IsRaw);
        if (chainIsRaw != raw)
            Assert.Contains("never mix", plan.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-L")]
    [InlineData("-w -R")]
    [InlineData("-w -p")]
    [InlineData("-w -w")]
    [InlineData("--raw")]
    [InlineData("-w tank/other@s1")]
    public void Flags_of_the_server_never_decide_how_an_encrypted_dataset_is_sent(string named)
    {
        SnapshotInfo[] remote = [Backups.Make(1, null, "tank/data", raw: true, named.Split(' '))];

        var plan = BackupPlan.Make(BackupMode.Automatic, Dataset, ["-w"], [Bookmark(1)], remote, 60);

        Assert.False(plan.IsIncremental);
        Assert.Equal(["-w"], plan.SendFlags);
        Assert.Contains("cannot be continued: the server ", plan.Reason, StringComparison.Ordinal);
        var refused = Assert.Throws<OperationException>(() =>
            BackupPlan.Make(BackupMode.Incremental, Dataset, ["-w"], [Bookmark(1)], remote, 60)
        );
        Assert.Contains("cannot be continued", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-L -w")]
    [InlineData("-L -D")]
    [InlineData("-L\n")]
    public void Flags_that_this_program_never_uses_are_not_continued(string named)
    {
        SnapshotInfo[] remote = [Backups.Make(1, null, "tank/data", raw: false, named.Split(' '))];

        var plan = BackupPlan.Make(BackupMode.Automatic, Dataset, ["-L"], [Bookmark(1)], remote, 60);

        Assert.False(plan.IsIncremental);
        Assert.Equal(["-L"], plan.SendFlags);
    }

    [Fact]
    public void A_raw_chain_whose_flags_are_unknown_is_continued_raw()
    {
        SnapshotInfo[] remote = [Backups.Make(1, null, "tank/data", raw: true)];

        var plan = BackupPlan.Make(BackupMode.Automatic, Dataset, ["-w"], [Bookmark(1)], remote, 60);

        Assert.True(plan.IsIncremental);
        Assert.Equal(["-w"], plan.SendFlags);
    }

    private static LocalSnapshot Snapshot(ulong guid) =>
        new(
            SnapshotName.Parse($"tank/data@s{guid}"),
            new SnapshotGuid(guid),
            CreateTxg: guid * 10,
            DateTimeOffset.UnixEpoch,
            Upload: null
        );

    private static LocalSnapshot Bookmark(ulong guid) =>
        Snapshot(guid) with
        {
            Name = SnapshotName.Parse($"tank/data#s{guid}"),
        };
}
