using CsCheck;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Rotation;

namespace ZfsSnapshotManager.UnitTests.Rotation;

public sealed class BackupRotationTests
{
    private static readonly IReadOnlySet<SnapshotGuid> NoUploads = new HashSet<SnapshotGuid>();

    private static readonly RotationPolicy Nothing = new()
    {
        KeepHourly = 0,
        KeepDaily = 0,
        KeepWeekly = 0,
        KeepMonthly = 0,
    };

    [Fact]
    public void Kept_backups_can_be_restored_and_include_the_newest() =>
        Gen.Select(History.Histories, History.Policies)
            .CheckDraws(
                (history, policy) =>
                {
                    var kept = Kept(history, policy);

                    Assert.All(kept, backup => Assert.NotNull(new BackupChains(kept).Resolve(backup)));
                    foreach (var dataset in history.GroupBy(backup => backup.DatasetName, StringComparer.Ordinal))
                    {
                        Assert.Contains(dataset.MaxBy(backup => backup.ReceivedAt)!, kept);
                        foreach (
                            var type in dataset
                                .GroupBy(backup => backup.SnapshotType)
                                .Where(type => type.Key != SnapshotType.Manual)
                        )
                        {
                            Assert.Contains(kept, backup =>
                                backup.DatasetName == dataset.Key && backup.SnapshotType == type.Key
                            );
                        }
                    }

                    Assert.All(history.Where(backup => backup.Pinned || backup.LockedUntil > History.Now), backup =>
                        Assert.Contains(backup, kept)
                    );
                }
            );

    [Fact]
    public void The_order_of_the_backups_does_not_matter() =>
        Gen.Select(
                History.Histories.SelectMany(history => Gen.Shuffle(history).Select(shuffled => (history, shuffled))),
                History.Policies
            )
            .CheckDraws(
                (histories, policy) =>
                    Assert.Equal(
                        BackupRotation.Plan(histories.history, policy, NoUploads, History.Now),
                        BackupRotation.Plan(histories.shuffled, policy, NoUploads, History.Now)
                    )
            );

    [Fact]
    public void To_rotate_twice_changes_nothing() =>
        Gen.Select(History.Histories, History.Policies)
            .CheckDraws(
                (history, policy) =>
                {
                    var kept = Kept(history, policy);

                    Assert.Equal(
                        kept.Select(backup => backup.SnapshotId),
                        Kept(kept, policy).Select(backup => backup.SnapshotId)
                    );
                }
            );

    [Fact]
    public void A_larger_policy_keeps_all_that_a_smaller_one_keeps() =>
        Gen.Select(History.Histories, History.Policies)
            .CheckDraws(
                (history, policy) =>
                {
                    var larger = new RotationPolicy
                    {
                        KeepHourly = policy.KeepHourly + 1,
                        KeepDaily = policy.KeepDaily + 2,
                        KeepWeekly = policy.KeepWeekly,
                        KeepMonthly = policy.KeepMonthly + 1,
                    };

                    Assert.Subset(Kept(history, larger).ToHashSet(), Kept(history, policy).ToHashSet());
                }
            );

    [Fact]
    public void Deleting_in_order_leaves_everything_restorable_at_every_step() =>
        Gen.Select(History.Histories, History.Policies, Gen.Bool)
            .CheckDraws(
                (history, policy, forSpace) =>
                {
                    var plan = forSpace
                        ? BackupRotation.PlanForSpace(history, NoUploads, History.Now)
                        : BackupRotation.Plan(history, policy, NoUploads, History.Now);
                    var deletable = plan.Where(decision => !decision.Keep).Select(decision => decision.Item).ToList();
                    var left = history.ToList();

                    var order = DeletionOrder.Of(deletable, new BackupChains(history));

                    Assert.Equal(deletable.ToHashSet(), order.ToHashSet());
                    foreach (var backup in order)
                    {
                        left.Remove(backup);
                        Assert.All(left, other => Assert.NotNull(new BackupChains(left).Resolve(other)));
                    }
                }
            );

    [Fact]
    public void To_free_space_the_newest_chain_of_every_dataset_is_kept() =>
        History.Histories.CheckDraws(history =>
        {
            var kept = BackupRotation
                .PlanForSpace(history, NoUploads, History.Now)
                .Where(decision => decision.Keep)
                .Select(decision => decision.Item)
                .ToList();

            foreach (var dataset in history.GroupBy(backup => backup.DatasetName, StringComparer.Ordinal))
            {
                Assert.Subset(
                    kept.ToHashSet(),
                    new BackupChains(history).Resolve(dataset.MaxBy(backup => backup.ReceivedAt)!)!.ToHashSet()
                );
            }
        });

    [Fact]
    public void Of_each_type_the_policy_s_number_is_kept()
    {
        var hourly = Enumerable
            .Range(0, 30)
            .Select(hour => History.Backup((ulong)hour + 1, null, History.Now.AddHours(-hour), SnapshotType.Hourly))
            .ToList();
        var daily = Enumerable
            .Range(0, 10)
            .Select(day => History.Backup((ulong)day + 100, null, History.Now.AddDays(-day), SnapshotType.Daily))
            .ToList();

        var kept = Kept([.. hourly, .. daily], new RotationPolicy());

        Assert.Equal(
            hourly.Take(24).Concat(daily.Take(7)).Select(backup => backup.SnapshotId).Order(StringComparer.Ordinal),
            kept.Select(backup => backup.SnapshotId).Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public void Typed_backups_count_singly_even_within_one_hour()
    {
        var hourly = Enumerable
            .Range(0, 5)
            .Select(minute =>
                History.Backup((ulong)minute + 1, null, History.Now.AddMinutes(-minute), SnapshotType.Hourly)
            )
            .ToList();

        Assert.Equal(
            ["1", "2", "3"],
            Kept(hourly, new RotationPolicy { KeepHourly = 3 }).Select(backup => backup.SnapshotGuid.ToString())
        );
    }

    [Fact]
    public void Manual_backups_fill_the_slots_of_hours_days_weeks_and_months()
    {
        // Every ten minutes for 400 days.
        var manual = Enumerable
            .Range(0, 400 * 144)
            .Select(index => History.Backup((ulong)index + 1, null, History.Now.AddMinutes(-10 * index)))
            .ToList();
        var policy = new RotationPolicy
        {
            KeepHourly = 3,
            KeepDaily = 2,
            KeepWeekly = 2,
            KeepMonthly = 3,
        };

        var kept = Kept(manual, policy)
            .Select(backup =>
                backup.Timestamp.UtcDateTime.ToString("MM-dd HH:mm", System.Globalization.CultureInfo.InvariantCulture)
            );

        // 2026-06-15 is a Monday. The newest of each period; 12:00 is the newest of its hour, day, week and month.
        Assert.Equal(["06-15 12:00", "06-15 11:50", "06-15 10:50", "06-14 23:50", "05-31 23:50", "04-30 23:50"], kept);
    }

    [Fact]
    public void A_manual_backup_fills_no_slot_of_a_period_that_has_a_typed_one()
    {
        var typed = History.Backup(1, null, History.Now.AddMinutes(-20), SnapshotType.Hourly);
        var manual = History.Backup(2, null, History.Now.AddMinutes(-10));
        var newest = History.Backup(3, null, History.Now.AddHours(1), SnapshotType.Hourly);

        Assert.Equal([newest, typed], Kept([typed, manual, newest], Nothing with { KeepHourly = 5 }));
    }

    [Fact]
    public void A_base_stays_with_the_reason_and_across_datasets()
    {
        var full = History.Backup(1, null, History.Now.AddDays(-2), dataset: "tank/old");
        var renamed = History.Backup(2, 1, History.Now, dataset: "tank/new");
        var newest = History.Backup(3, null, History.Now, dataset: "tank/old");

        var decision = BackupRotation
            .Plan([full, renamed, newest], Nothing, NoUploads, History.Now)
            .Single(decision => decision.Item == full);

        Assert.True(decision.Keep);
        Assert.Equal($"{renamed.SnapshotId} (manual) needs it", decision.Reason);
    }

    [Fact]
    public void The_base_of_an_open_upload_is_kept()
    {
        var old = History.Backup(1, null, History.Now.AddDays(-2));
        var newest = History.Backup(2, null, History.Now);

        var plan = BackupRotation.Plan(
            [old, newest],
            Nothing,
            new HashSet<SnapshotGuid> { old.SnapshotGuid },
            History.Now
        );

        Assert.All(plan, decision => Assert.True(decision.Keep));
        Assert.Single(BackupRotation.Plan([old, newest], Nothing, NoUploads, History.Now), decision => decision.Keep);
    }

    [Fact]
    public void What_another_machine_backs_up_is_not_rotated_by_this_one()
    {
        var ours = History.Backup(1, null, History.Now.AddDays(-2)) with { MachineId = "one", MachineName = "web" };
        var theirs = History.Backup(2, null, History.Now) with { MachineId = "two", MachineName = "nas" };

        var asked = BackupRotation.Plan([ours, theirs], Nothing, NoUploads, History.Now, machineId: "one");
        var taken = BackupRotation.Plan([ours, theirs], Nothing, NoUploads, History.Now, machineId: "two");

        Assert.All(asked, decision => Assert.True(decision.Keep));
        Assert.All(asked, decision => Assert.True(decision.IsOthers));
        Assert.All(taken, decision => Assert.False(decision.IsOthers));
        Assert.Contains("another machine, nas", asked[^1].Reason, StringComparison.Ordinal);
        Assert.Equal(ours, Assert.Single(taken, decision => !decision.Keep).Item);
    }

    [Fact]
    public void Space_is_not_made_from_what_another_machine_backs_up()
    {
        var ours = History.Backup(1, null, History.Now.AddDays(-2)) with { MachineId = "one", MachineName = "web" };
        var theirs = History.Backup(2, null, History.Now) with { MachineId = "two", MachineName = "nas" };

        var asked = BackupRotation.PlanForSpace([ours, theirs], NoUploads, History.Now, machineId: "one");
        var own = BackupRotation.PlanForSpace([ours, theirs], NoUploads, History.Now, machineId: "two");
        var server = BackupRotation.PlanForSpace([ours, theirs], NoUploads, History.Now);

        Assert.All(asked, decision => Assert.True(decision.Keep));
        Assert.Equal(ours, Assert.Single(own, decision => !decision.Keep).Item);
        Assert.Equal(ours, Assert.Single(server, decision => !decision.Keep).Item);
    }

    /// <summary>The clock stood in the past when it was made, and a copy of its base arrived later.</summary>
    [Fact]
    public void What_latest_would_restore_stays_however_wrong_its_own_time_is()
    {
        var @base = History.Backup(1, null, History.Now.AddDays(-3));
        var latest = History.Backup(2, 1, History.Now.AddDays(-2)) with { Timestamp = DateTimeOffset.UnixEpoch };
        var copy = History.Backup(1, null, History.Now.AddDays(-1)) with { SnapshotId = "copy", StorageKey = "copy" };
        SnapshotInfo[] all = [@base, latest, copy];

        var kept = BackupRotation
            .Plan(all, Nothing, NoUploads, History.Now)
            .Where(decision => decision.Keep)
            .Select(decision => decision.Item);

        Assert.Same(latest, new BackupOrder(all, new BackupChains(all)).NewestFirst[0]);
        Assert.Contains(latest, kept);
    }

    [Fact]
    public void Backups_that_the_store_did_not_delete_are_kept_with_the_reason()
    {
        var (old, newest) = (History.Backup(1, null, History.Now.AddDays(-2)), History.Backup(2, null, History.Now));
        var obstacles = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [old.SnapshotId] = "somebody holds it",
        };

        Assert.Contains(
            BackupRotation.Plan([old, newest], Nothing, NoUploads, History.Now, obstacles: obstacles),
            decision => decision is { Keep: true, Reason: "somebody holds it" } && decision.Item == old
        );
        Assert.Contains(
            BackupRotation.PlanForSpace([old, newest], NoUploads, History.Now, obstacles: obstacles),
            decision => decision.Keep && decision.Item == old
        );
    }

    [Fact]
    public void A_backup_that_claims_an_old_time_displaces_no_other()
    {
        var honest = Enumerable
            .Range(0, 30)
            .Select(day => History.Backup((ulong)day + 1, null, History.Now.AddDays(-day)))
            .ToList();
        // A backup sent later can fill an hour that had none.
        var policy = new RotationPolicy { KeepHourly = 0 };
        var before = Kept(honest, policy);
        var lies = Enumerable
            .Range(0, 300)
            .Select(index =>
                History.Backup((ulong)index + 1000, null, History.Now) with
                {
                    Timestamp = History.Now.AddHours(-10 * index).AddMinutes(59),
                }
            )
            .ToList();

        var after = Kept([.. honest, .. lies], policy);

        Assert.Subset(
            after.ToHashSet(),
            before.Where(backup => History.Now - backup.Timestamp > TimeSpan.FromDays(8)).ToHashSet()
        );
    }

    [Fact]
    public void With_a_clock_a_year_behind_the_policy_still_holds()
    {
        var behind = Enumerable
            .Range(0, 48)
            .Select(hour =>
                History.Backup((ulong)hour + 1, null, History.Now.AddHours(-hour)) with
                {
                    Timestamp = History.Now.AddHours(-hour).AddYears(-1),
                }
            )
            .ToList();
        var right = Enumerable
            .Range(0, 48)
            .Select(hour => History.Backup((ulong)hour + 100, null, History.Now.AddHours(-hour - 48)))
            .ToList();

        var kept = Kept([.. behind, .. right], Nothing with { KeepHourly = 24 });

        Assert.Subset(kept.ToHashSet(), behind.Take(24).ToHashSet());
        Assert.Subset(kept.ToHashSet(), right.Take(24).ToHashSet());
        Assert.Equal(48, kept.Count);
    }

    [Fact]
    public void A_time_in_the_future_counts_as_the_time_of_receipt()
    {
        var future = History.Backup(1, null, History.Now.AddHours(-30)) with { Timestamp = History.Now.AddYears(5) };
        var others = Enumerable
            .Range(0, 30)
            .Select(hour => History.Backup((ulong)hour + 2, null, History.Now.AddHours(-hour)))
            .ToList();

        Assert.DoesNotContain(future, Kept([future, .. others], Nothing with { KeepHourly = 24 }));
    }

    private static List<SnapshotInfo> Kept(IReadOnlyCollection<SnapshotInfo> history, RotationPolicy policy) =>
        [
            .. BackupRotation
                .Plan(history, policy, NoUploads, History.Now)
                .Where(decision => decision.Keep)
                .Select(decision => decision.Item),
        ];
}
