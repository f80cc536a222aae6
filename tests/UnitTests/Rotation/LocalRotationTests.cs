using CsCheck;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Rotation;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Rotation;

public sealed class LocalRotationTests
{
    private static readonly MarkOwner Owner = new("5e1fc0de", "web1");
    private static readonly MarkOwner Other = new("0ther5e1f", "web1");

    private static Gen<LocalSnapshot[]> Locals { get; } =
        Gen.Select(Gen.Int[0, 3], Gen.Enum<SnapshotType>().Nullable(0.3), Gen.Bool, (kind, type, held) =>
                (kind, type, held)
            )
            .Array[0, 30]
            .Select(rows =>
                rows.Select(
                        (row, index) =>
                            row.kind == 0
                                ? Bookmark((ulong)index + 1, index % 2 == 0 ? $"s{index}.{Owner.Tag}" : $"s{index}")
                                : Snapshot((ulong)index + 1, row.type, row.held && index % 3 == 0, row.kind == 1)
                    )
                    .ToArray()
            );

    [Fact]
    public void Only_typed_snapshots_beyond_the_policy_and_own_bookmarks_are_deleted() =>
        Gen.Select(Locals, History.Policies, Gen.Int[0, 31].Array[0, 10])
            .CheckDraws(
                (local, policy, shared) =>
                {
                    var onServer = shared.Select(guid => new SnapshotGuid((ulong)guid)).ToHashSet();
                    var newestBase = local
                        .Where(snapshot => onServer.Contains(snapshot.Guid))
                        .MaxBy(snapshot => snapshot.CreateTxg);

                    var plan = Plan(local, policy, onServer);

                    Assert.Equal(local.Length, plan.Count);
                    foreach (var gone in plan.Where(decision => !decision.Keep).Select(decision => decision.Item))
                    {
                        Assert.NotEqual(newestBase?.Guid, gone.Guid);
                        if (gone.Name.IsBookmark)
                        {
                            Assert.True(Owner.OwnsBookmark(gone.Name));
                            Assert.DoesNotContain(gone.Guid, onServer);
                            Assert.NotNull(newestBase);
                            continue;
                        }

                        Assert.False(gone.IsHeld);
                        Assert.True(gone.Type is not null and not SnapshotType.Manual);
                        Assert.True(
                            local.Count(other => other.Type == gone.Type && other.CreateTxg > gone.CreateTxg)
                                >= Math.Max(1, policy.Keep(gone.Type.Value))
                        );
                    }
                }
            );

    [Fact]
    public void To_rotate_twice_changes_nothing_and_the_order_does_not_matter() =>
        Gen.Select(
                Locals.SelectMany(local => Gen.Shuffle(local).Select(shuffled => (local, shuffled))),
                History.Policies
            )
            .CheckDraws(
                (locals, policy) =>
                {
                    var onServer = locals
                        .local.Where(snapshot => snapshot.Guid.Value % 4 == 0)
                        .Select(snapshot => snapshot.Guid)
                        .ToHashSet();
                    var plan = Plan(locals.local, policy, onServer);
                    var kept = plan.Where(decision => decision.Keep).Select(decision => decision.Item).ToList();

                    Assert.Equal(plan, Plan(locals.shuffled, policy, onServer));
                    Assert.All(Plan(kept, policy, onServer), decision => Assert.True(decision.Keep));
                }
            );

    [Fact]
    public void The_newest_of_each_type_are_kept_by_transaction_group()
    {
        var hourly = Enumerable
            .Range(1, 6)
            .Select(index =>
                Snapshot((ulong)index, SnapshotType.Hourly) with
                {
                    Creation = DateTimeOffset.UnixEpoch.AddDays(-index),
                }
            )
            .ToArray();

        var kept = Plan(hourly, new RotationPolicy { KeepHourly = 2 }, [])
            .Where(decision => decision.Keep)
            .Select(decision => decision.Item.Guid.Value);

        Assert.Equal([6, 5], kept);
    }

    [Fact]
    public void Without_an_answer_of_the_server_no_bookmark_is_deleted()
    {
        var decision = Assert.Single(
            LocalRotation.Plan([Bookmark(1, $"s1.{Owner.Tag}")], new RotationPolicy(), onServer: null, [Owner])
        );

        Assert.True(decision.Keep);
    }

    [Fact]
    public void Without_an_answer_of_the_server_only_snapshots_go_that_were_never_sent()
    {
        LocalSnapshot[] sent = [Snapshot(1, SnapshotType.Hourly), Snapshot(2, SnapshotType.Hourly)];
        LocalSnapshot[] unsent =
        [
            .. Enumerable.Range(3, 4).Select(n => Snapshot((ulong)n, SnapshotType.Hourly, own: false)),
        ];
        var policy = new RotationPolicy { KeepHourly = 2 };

        var gone = LocalRotation
            .Plan([.. sent, .. unsent], policy, onServer: null, [])
            .Where(decision => !decision.Keep)
            .Select(decision => decision.Item.Guid.Value);

        Assert.Equal([4, 3], gone);
        Assert.All(LocalRotation.Plan(sent, policy, onServer: null, []), decision =>
            Assert.Equal(
                "it was sent (5e1fc0de/web1), and the server could not be asked whether a backup needs it",
                decision.Reason
            )
        );
    }

    /// <summary>As after the start of an old copy of the catalogue, or if it lies.</summary>
    [Fact]
    public void The_newest_bookmark_stays_whatever_the_server_denies()
    {
        LocalSnapshot[] bookmarks =
        [
            .. Enumerable.Range(1, 3).Select(n => Bookmark((ulong)n, $"s{n}.{Owner.Tag}")),
            Bookmark(4, "of-another-tool"),
        ];

        var gone = Plan(bookmarks, new RotationPolicy(), [new SnapshotGuid(1)])
            .Where(decision => !decision.Keep)
            .Select(decision => decision.Item.Guid.Value);

        Assert.Equal([2], gone);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void A_policy_of_nothing_keeps_the_newest_of_each_type_and_the_base(int keep)
    {
        var policy = new RotationPolicy
        {
            KeepHourly = keep,
            KeepDaily = keep,
            KeepWeekly = keep,
            KeepMonthly = keep,
        };
        LocalSnapshot[] local =
        [
            .. SnapshotTypes.Classes.SelectMany(
                (type, index) => Enumerable.Range(1, 3).Select(n => Snapshot((ulong)(10 * index + n), type))
            ),
        ];

        var kept = Plan(local, policy, [new SnapshotGuid(2)])
            .Where(decision => decision.Keep)
            .Select(decision => decision.Item.Guid.Value);

        Assert.Equal([33, 23, 13, 3, 2], kept);
    }

    /// <summary>Two servers for one dataset: each policy counts its own snapshots and bookmarks.</summary>
    [Fact]
    public void Snapshots_and_bookmarks_of_another_server_are_neither_counted_nor_deleted()
    {
        var others = Enumerable
            .Range(1, 4)
            .Select(n => Snapshot((ulong)n, SnapshotType.Hourly) with { Upload = UploadMark.Committed(Other) })
            .ToArray();
        LocalSnapshot[] own = [Snapshot(11, SnapshotType.Hourly), Snapshot(12, SnapshotType.Hourly)];
        LocalSnapshot[] unsent = [Snapshot(13, SnapshotType.Hourly, own: false)];
        LocalSnapshot[] bookmarks = [Bookmark(1, $"s1.{Other.Tag}"), Bookmark(2, "zsm-hourly-1")];

        var gone = Plan(
                [.. others, .. own, .. unsent, .. bookmarks],
                new RotationPolicy { KeepHourly = 2 },
                [new SnapshotGuid(12)]
            )
            .Where(decision => !decision.Keep)
            .Select(decision => decision.Item);

        Assert.Equal([own[0]], gone);
    }

    /// <summary>A mark of an earlier version, or of a catalogue that was lost, on what this server has.</summary>
    [Fact]
    public void What_this_server_has_counts_whatever_its_mark_says()
    {
        var local = Enumerable
            .Range(1, 4)
            .Select(n => Snapshot((ulong)n, SnapshotType.Hourly) with { Upload = UploadMark.Committed(Other) })
            .ToArray();

        var plan = Plan(local, new RotationPolicy { KeepHourly = 2 }, [.. local.Select(snapshot => snapshot.Guid)]);

        Assert.Equal(2, plan.Count(decision => !decision.Keep));
    }

    [Fact]
    public void A_snapshot_that_waits_for_its_upload_stays()
    {
        var waiting = Snapshot(1, SnapshotType.Hourly) with
        {
            Upload = UploadMark.Pending(Owner, new RunId("01234567", "89abcdef")),
        };

        var plan = Plan(
            [waiting, Snapshot(2, SnapshotType.Hourly), Snapshot(3, SnapshotType.Hourly)],
            new RotationPolicy { KeepHourly = 1 },
            []
        );

        Assert.True(plan.Single(decision => decision.Item == waiting).Keep);
    }

    [Theory]
    [InlineData(3, "s5 s4 s3")]
    [InlineData(1, "s5")]
    [InlineData(0, "s5")] // the base
    [InlineData(5, "s5 s4 s3 s2 s1")]
    public void The_newest_snapshots_of_backups_stay(int count, string kept)
    {
        var local = Manual(5);

        var plan = LocalRotation.Plan(local, new RotationPolicy(), GuidsOf(local), [Owner], count);

        Assert.Equal(kept, string.Join(' ', plan.Where(decision => decision.Keep).Select(d => d.Item.Name.Leaf)));
    }

    [Fact]
    public void The_base_of_the_next_backup_stays_however_old_it_is()
    {
        var local = Manual(5);

        var plan = LocalRotation.Plan(local, new RotationPolicy(), GuidsOf(local[..1]), [Owner], 2);

        Assert.Equal(["s5", "s4", "s1"], plan.Where(decision => decision.Keep).Select(d => d.Item.Name.Leaf));
    }

    [Fact]
    public void Nothing_of_a_backup_is_destroyed_while_the_server_has_no_base() =>
        Assert.All(
            LocalRotation.Plan(Manual(5), new RotationPolicy(), new HashSet<SnapshotGuid>(), [Owner], 1),
            decision => Assert.True(decision.Keep)
        );

    [Fact]
    public void Snapshots_of_others_waiting_held_and_unknown_ones_are_not_counted_as_those_of_backups()
    {
        LocalSnapshot[] others =
        [
            Snapshot(1, SnapshotType.Manual) with
            {
                Upload = UploadMark.Committed(Other),
            },
            Snapshot(2, SnapshotType.Manual) with
            {
                Upload = UploadMark.Pending(Owner, new RunId("01234567", "89abcdef")),
            },
            Snapshot(3, SnapshotType.Manual, held: true),
            Snapshot(4, SnapshotType.Manual) with
            {
                Upload = null,
            },
            Snapshot(5, SnapshotType.Manual) with
            {
                Upload = new UploadMark(UploadState.Committed, null, null),
            },
            Snapshot(6, type: null),
        ];
        var newer = Snapshot(7, SnapshotType.Manual);

        var plan = LocalRotation.Plan([.. others, newer], new RotationPolicy(), GuidsOf([newer]), [Owner], 1);

        Assert.All(plan, decision => Assert.True(decision.Keep, decision.Item.Name.Leaf));
    }

    [Fact]
    public void Bookmarks_are_bounded()
    {
        var bookmarks = Enumerable.Range(1, 150).Select(n => Bookmark((ulong)n, $"s{n}.{Owner.Tag}")).ToArray();

        var plan = LocalRotation.Plan(bookmarks, new RotationPolicy(), GuidsOf(bookmarks), [Owner]);

        Assert.Equal(100, plan.Count(decision => decision.Keep));
        Assert.Equal(150ul, plan[0].Item.Guid.Value);
        Assert.True(plan[99].Keep);
        Assert.False(plan[100].Keep);
    }

    private static LocalSnapshot[] Manual(int count) =>
        [.. Enumerable.Range(1, count).Select(n => Snapshot((ulong)n, SnapshotType.Manual))];

    private static HashSet<SnapshotGuid> GuidsOf(IEnumerable<LocalSnapshot> snapshots) =>
        [.. snapshots.Select(snapshot => snapshot.Guid)];

    private static IReadOnlyList<RotationDecision<LocalSnapshot>> Plan(
        IReadOnlyCollection<LocalSnapshot> local,
        RotationPolicy policy,
        HashSet<SnapshotGuid> onServer
    ) => LocalRotation.Plan(local, policy, onServer, [Owner]);

    private static LocalSnapshot Snapshot(ulong number, SnapshotType? type, bool held = false, bool own = true) =>
        new(
            SnapshotName.Parse($"tank/data@s{number}"),
            new SnapshotGuid(number),
            number,
            DateTimeOffset.UnixEpoch,
            own && type is not null ? UploadMark.Committed(Owner) : null,
            held,
            type
        );

    private static LocalSnapshot Bookmark(ulong number, string leaf) =>
        new(SnapshotName.Parse($"tank/data#{leaf}"), new SnapshotGuid(number), number, DateTimeOffset.UnixEpoch, null);
}
