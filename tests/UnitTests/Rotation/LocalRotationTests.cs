using CsCheck;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Rotation;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Rotation;

public sealed class LocalRotationTests
{
    private static Gen<LocalSnapshot[]> Locals { get; } =
        Gen.Select(Gen.Int[0, 3], Gen.Enum<SnapshotType>().Nullable(0.3), Gen.Bool, (kind, type, held) =>
                (kind, type, held)
            )
            .Array[0, 30]
            .Select(rows =>
                rows.Select(
                        (row, index) =>
                            row.kind == 0
                                ? Bookmark((ulong)index + 1, index % 2 == 0 ? $"zsm-manual-{index}" : $"mine-{index}")
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
                            Assert.StartsWith("zsm-", gone.Name.Leaf, StringComparison.Ordinal);
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
            LocalRotation.Plan([Bookmark(1, "zsm-manual-1")], new RotationPolicy(), onServer: null, IsOwn)
        );

        Assert.True(decision.Keep);
    }

    private static IReadOnlyList<RotationDecision<LocalSnapshot>> Plan(
        IReadOnlyCollection<LocalSnapshot> local,
        RotationPolicy policy,
        HashSet<SnapshotGuid> onServer
    ) => LocalRotation.Plan(local, policy, onServer, IsOwn);

    private static bool IsOwn(SnapshotName name) => name.Leaf.StartsWith("zsm-", StringComparison.Ordinal);

    private static LocalSnapshot Snapshot(ulong number, SnapshotType? type, bool held = false, bool own = true) =>
        new(
            SnapshotName.Parse($"tank/data@s{number}"),
            new SnapshotGuid(number),
            number,
            DateTimeOffset.UnixEpoch,
            own && type is not null ? UploadMark.Pending : null,
            held,
            type
        );

    private static LocalSnapshot Bookmark(ulong number, string leaf) =>
        new(SnapshotName.Parse($"tank/data#{leaf}"), new SnapshotGuid(number), number, DateTimeOffset.UnixEpoch, null);
}
