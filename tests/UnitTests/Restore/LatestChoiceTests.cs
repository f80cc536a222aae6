using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Restore.Download;
using ZfsSnapshotManager.Restore.RestoreChain;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Restore;

public sealed class LatestChoiceTests
{
    private static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch.AddYears(56);

    [Fact]
    public void The_source_is_the_dataset_of_the_target_s_name()
    {
        var mail = Make("tank/mail", moment: 2);
        var home = Make("tank/home", moment: 1);

        Assert.Same(home, Choose([mail, home], "tank/home").Backup);
    }

    [Fact]
    public void The_only_dataset_is_the_source_of_any_target()
    {
        var home = Make("tank/home", moment: 1);

        Assert.Same(home, Choose([home], "tank/restored").Backup);
    }

    [Fact]
    public void Several_datasets_need_a_source()
    {
        var failure = Assert.Throws<OperationException>(() =>
            Choose([Make("tank/mail", moment: 2), Make("tank/home", moment: 1)], "tank/restored")
        );

        Assert.Equal(ExitCode.Usage, failure.ExitCode);
        Assert.Contains("tank/home, tank/mail", failure.Message, StringComparison.Ordinal);
        Assert.Contains("--source tank/home", failure.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tree_is_the_source_by_its_root()
    {
        SnapshotInfo[] backups = [Make("tank/home/ann", moment: 1), Make("tank/home", moment: 1)];

        Assert.Equal("tank/home", Choose(backups, "tank/restored", recursive: true).Backup.DatasetName);
        Assert.Throws<OperationException>(() => Choose(backups, "tank/restored"));
    }

    [Fact]
    public void No_backup_of_the_source_is_not_found()
    {
        var list = new BackupList([Make("tank/home", moment: 1)]);

        foreach (
            var request in (LatestRequest[])
                [new("tank/x", "tank/other", null, Recursive: false), new("tank/home", null, Start, Recursive: false)]
        )
            Assert.Equal(
                ExitCode.NotFound,
                Assert.Throws<OperationException>(() => LatestChoice.Make(list, request)).ExitCode
            );
        Assert.Equal(ExitCode.NotFound, Assert.Throws<OperationException>(() => Choose([], "tank/home")).ExitCode);
    }

    [Fact]
    public void A_snapshot_of_the_future_is_not_the_newest_and_is_named()
    {
        var future = Make("tank/home", moment: 1) with { Timestamp = Start.AddYears(5) };
        var newest = Make("tank/home", moment: 2);

        var choice = Choose([future, newest], "tank/home");

        Assert.Same(newest, choice.Backup);
        var warning = Assert.Single(choice.Warnings);
        Assert.Contains(future.SnapshotId, warning, StringComparison.Ordinal);
        Assert.Contains("a clock was wrong", warning, StringComparison.Ordinal);
        Assert.Contains("is wrong", Assert.Single(Choose([future], "tank/home").Warnings), StringComparison.Ordinal);
        Assert.Empty(Choose([newest], "tank/home").Warnings);
    }

    [Fact]
    public void A_time_chooses_the_newest_snapshot_until_then()
    {
        SnapshotInfo[] backups = [.. Enumerable.Range(1, 5).Select(moment => Make("tank/home", moment))];

        Assert.Same(backups[2], Choose(backups, "tank/home", at: Start.AddHours(3.5)).Backup);
        Assert.Same(backups[2], Choose(backups, "tank/home", at: Start.AddHours(3)).Backup);
    }

    [Fact]
    public void Of_two_backups_of_the_newest_snapshot_the_one_that_can_be_restored_counts()
    {
        var full = Make("tank/home", moment: 2);
        var broken = full with { SnapshotId = "c/broken", FromGuid = Make("tank/home", moment: 1).SnapshotGuid };

        Assert.Same(full, Choose([broken, full], "tank/home").Backup);
        Assert.Same(full, Choose([broken with { ReceivedAt = full.ReceivedAt.AddHours(1) }, full], "tank/home").Backup);
    }

    [Fact]
    public void The_newest_complete_set_of_a_tree_is_chosen_and_the_newer_one_named()
    {
        SnapshotInfo[] backups =
        [
            .. MakeSet(1, "tank/home", "tank/home/ann", "tank/home/bob"),
            .. MakeSet(2, "tank/home", "tank/home/ann", "tank/home/bob"),
            .. MakeSet(3, "tank/home", "tank/home/bob"),
        ];

        var choice = Choose(backups, "tank/home", recursive: true);

        Assert.Equal("m2", choice.Backup.SnapshotName);
        Assert.Contains("m2 is complete", Assert.Single(choice.Notes), StringComparison.Ordinal);
        var warning = Assert.Single(choice.Warnings);
        Assert.Contains("lacks tank/home/ann.", warning, StringComparison.Ordinal);
        Assert.Contains("zfs-restore restore c/tank_home_m3 tank/home --recursive", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void A_backup_of_the_root_alone_is_no_set()
    {
        SnapshotInfo[] backups =
        [
            .. MakeSet(1, "tank/home", "tank/home/ann"),
            .. MakeSet(2, "tank/home"),
            .. MakeSet(3, "tank/home"),
        ];

        Assert.Equal("m1", Choose(backups, "tank/home", recursive: true).Backup.SnapshotName);
        Assert.Equal("m3", Choose(backups, "tank/home").Backup.SnapshotName);
    }

    [Fact]
    public void A_dataset_that_no_longer_exists_is_missed_in_one_set_only()
    {
        SnapshotInfo[] backups =
        [
            .. MakeSet(1, "tank/home", "tank/home/ann", "tank/home/bob"),
            .. MakeSet(2, "tank/home", "tank/home/bob"),
            .. MakeSet(3, "tank/home", "tank/home/bob"),
        ];

        Assert.Equal("m3", Choose(backups, "tank/home", recursive: true).Backup.SnapshotName);
    }

    [Fact]
    public void A_set_with_a_broken_chain_is_not_complete()
    {
        SnapshotInfo[] backups =
        [
            .. MakeSet(1, "tank/home", "tank/home/ann"),
            Make("tank/home", moment: 2),
            Make("tank/home/ann", moment: 2) with
            {
                FromGuid = Make("tank/home/ann", moment: 99).SnapshotGuid,
            },
        ];

        Assert.Equal("m1", Choose(backups, "tank/home", recursive: true).Backup.SnapshotName);
    }

    [Fact]
    public void A_set_is_of_one_machine_and_two_machines_are_named()
    {
        SnapshotInfo[] backups =
        [
            .. MakeSet(1, "tank/home", "tank/home/ann").Select(backup => backup with { MachineId = "one" }),
            Make("tank/home", moment: 2) with
            {
                MachineId = "one",
            },
            Make("tank/home/ann", moment: 2) with
            {
                MachineId = "two",
            },
            Make("tank/home", moment: 0) with
            {
                MachineId = "two",
                MachineName = "host2",
            },
        ];

        var choice = Choose(backups, "tank/home", recursive: true);

        Assert.Equal("m1", choice.Backup.SnapshotName);
        Assert.Contains(choice.Notes, note => note.Contains("host2", StringComparison.Ordinal));
        Assert.Equal(["tank/home/ann"], TreePlan.Make(backups[2], backups).Missing);
    }

    [Fact]
    public void Machines_that_take_turns_are_a_warning_and_one_that_replaced_another_is_not()
    {
        var backups = Enumerable
            .Range(1, 4)
            .Select(moment =>
                Make("tank/home", moment) with
                {
                    MachineId = moment <= 2 ? "one" : "two",
                    MachineName = moment <= 2 ? "old" : "new",
                }
            )
            .ToArray();

        var replaced = Choose(backups, "tank/home");

        Assert.Empty(replaced.Warnings);
        Assert.Contains($"restore {backups[1].SnapshotId}", Assert.Single(replaced.Notes), StringComparison.Ordinal);

        var back = Make("tank/home", moment: 5) with { MachineId = "one", MachineName = "old" };
        var turns = Choose([.. backups, back], "tank/home");

        Assert.Same(back, turns.Backup);
        Assert.Contains(
            "two machines, old and new. What arrived last is of the first",
            Assert.Single(turns.Warnings),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_tree_without_descendants_is_its_root()
    {
        var choice = Choose(MakeSet(1, "tank/home"), "tank/home", recursive: true);

        Assert.Equal("m1", choice.Backup.SnapshotName);
        Assert.Empty(choice.Warnings);
    }

    private static LatestChoice Choose(
        SnapshotInfo[] backups,
        string target,
        bool recursive = false,
        DateTimeOffset? at = null
    ) => LatestChoice.Make(new BackupList(backups), new LatestRequest(target, null, at, recursive));

    private static SnapshotInfo[] MakeSet(int moment, params string[] datasets) =>
        [.. datasets.Select(dataset => Make(dataset, moment))];

    /// <param name="dataset">The dataset.</param>
    /// <param name="moment">When its snapshot was made, in hours.</param>
    private static SnapshotInfo Make(string dataset, int moment) =>
        Backups.Full((ulong)((dataset.Length * 1000) + moment), dataset) with
        {
            SnapshotId = $"c/{dataset.Replace('/', '_')}_m{moment}",
            SnapshotName = $"m{moment}",
            Timestamp = Start.AddHours(moment),
            ReceivedAt = Start.AddHours(moment).AddMinutes(1),
        };
}
