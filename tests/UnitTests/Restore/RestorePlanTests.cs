using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Restore.RestoreChain;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Restore;

/// <summary>Where a restore begins, by what exists and what is requested.</summary>
public sealed class RestorePlanTests
{
    private static readonly SnapshotInfo[] Chain =
    [
        Stored(Backups.Full(1)),
        Stored(Backups.Incremental(2, 1)),
        Stored(Backups.Incremental(3, 2)),
    ];

    [Fact]
    public void Without_a_partial_receive_it_starts_at_the_beginning() =>
        Assert.Equal(RestorePlan.FromStart, Make(null));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    [InlineData(2, 3)]
    public void An_interrupted_receive_resumes_at_its_token(int whole, int noted)
    {
        var plan = Make(There(whole, noted, TokenOf(whole)));

        AssertContinues(plan, whole);
        Assert.Equal(ResumeToken.Parse(TokenOf(whole)), plan.Token);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    [InlineData(2, 2)]
    [InlineData(3, 3)]
    [InlineData(1, 3)]
    public void Between_two_receives_it_resumes_with_the_next(int whole, int noted)
    {
        var plan = Make(There(whole, noted, null));

        AssertContinues(plan, whole);
        Assert.Null(plan.Token);
    }

    [Fact]
    public void A_restored_part_of_a_chain_is_used_by_a_longer_one() =>
        AssertContinues(Make(There(2, 3, TokenOf(2)), [.. Chain, Stored(Backups.Incremental(4, 3))]), 2);

    [Fact]
    public void An_empty_dataset_is_useless()
    {
        var plan = Make(There(0, 1, null));

        Assert.Equal("it is empty", plan.Useless);
        Assert.Equal((0, null, null), (plan.First, plan.Token, plan.Conflict));
    }

    [Theory]
    [InlineData(1, "1-abc", "cannot read its resume token")]
    [InlineData(1, "next", "not the next")]
    [InlineData(2, "own", "from another backup")]
    public void The_part_of_a_full_backup_is_never_removed_unasked(int noted, string? token, string why)
    {
        var plan = Make(There(0, noted, Named(token, 0)));

        Assert.Contains(why, plan.Conflict, StringComparison.Ordinal);
        Assert.Equal((null, null), (plan.Useless, plan.Dropped));
    }

    [Fact]
    public void The_part_of_another_backup_of_the_same_snapshot_stays_while_the_server_has_that_backup()
    {
        var other = Chain[0] with { SnapshotId = "c/other", PartsSha256 = "other" };
        SnapshotInfo[] others = [other];

        var plan = Make(new PartialDataset(ChainDigest.Of(others, 1), [], TokenOf(Chain[0])), all: [.. Chain, other]);

        Assert.Equal((other, null, null), (plan.ConflictingBackup, plan.Useless, plan.Dropped));
        Assert.NotNull(plan.Conflict);
    }

    [Fact]
    public void A_restore_that_ends_before_the_backup_that_was_received_drops_its_part_and_no_more()
    {
        var plan = RestorePlan.Make(There(1, 2, TokenOf(1)), Chain[..1], Chain);

        Assert.Contains("this restore ends before", plan.Dropped, StringComparison.Ordinal);
        Assert.Equal((1, null, null, null), (plan.First, plan.Token, plan.Useless, plan.Conflict));
    }

    [Fact]
    public void A_token_that_cannot_be_read_drops_nothing()
    {
        var plan = Make(There(1, 2, "1-abc"));

        Assert.NotNull(plan.Conflict);
        Assert.Equal((null, null), (plan.Useless, plan.Dropped));
    }

    [Theory]
    [InlineData(2, "next", "not the next")]
    [InlineData(3, "own", "from another backup")]
    [InlineData(null, "own", "from another backup")]
    public void Complete_snapshots_stay_if_nobody_can_complete_the_one_after_them(int? noted, string token, string why)
    {
        var there = There(1, noted ?? 1, Named(token, 1));

        var plan = Make(noted is null ? there with { Received = null } : there);

        Assert.Contains(why, plan.Dropped, StringComparison.Ordinal);
        Assert.Equal((1, null, null, null), (plan.First, plan.Token, plan.Useless, plan.Conflict));
    }

    [Fact]
    public void A_token_behind_the_last_backup_drops_nothing_that_is_complete()
    {
        var plan = Make(There(3, 3, TokenOf(2)));

        Assert.Equal((3, null), (plan.First, plan.Useless));
        Assert.NotNull(plan.Dropped);
    }

    [Fact]
    public void What_another_restore_can_complete_is_neither_used_nor_removed()
    {
        var other = Stored(Backups.Full(9, "tank/other"));
        var token = TokenOf(other);

        var plan = Make(There(0, 1, token), all: [.. Chain, other]);

        Assert.Contains("tank/other@s9", plan.Conflict, StringComparison.Ordinal);
        Assert.Equal((other, null, null), (plan.ConflictingBackup, plan.Useless, plan.Dropped));
    }

    [Fact]
    public void Complete_snapshots_of_another_restore_are_neither_used_nor_removed()
    {
        var other = Stored(Backups.Full(9, "tank/other"));
        PartialSnapshot[][] cases =
        [
            [Received(other)],
            [.. Chain.Select(Received), Received(other)],
            [Received(Chain[1])],
            [Received(Chain[0]), Received(Chain[2])],
            [MadeBefore("unknown")],
            [MadeHere("before-all")],
            [Received(Chain[0]), MadeBefore("of a backup that was deleted")],
        ];
        foreach (var snapshots in cases)
        {
            var plan = Make(new PartialDataset(null, snapshots, null), all: [.. Chain, other]);
            Assert.Contains("do not belong to this restore", plan.Conflict, StringComparison.Ordinal);
            Assert.Equal((null, null), (plan.Useless, plan.Dropped));
            Assert.Empty(plan.Foreign);
        }
    }

    [Fact]
    public void An_older_state_does_not_remove_the_newer_one_that_was_received()
    {
        var plan = RestorePlan.Make(There(2, 2, null), Chain[..1], Chain);

        Assert.NotNull(plan.Conflict);
        Assert.Equal(Chain[1], plan.ConflictingBackup);
    }

    [Fact]
    public void Snapshots_of_other_programs_are_destroyed_wherever_they_are_and_the_restore_resumes()
    {
        var there = There(2, 3, TokenOf(2));
        PartialSnapshot[] snapshots =
        [
            there.Snapshots[0],
            MadeHere("hourly-1"),
            there.Snapshots[1],
            MadeHere("hourly-2"),
            MadeHere("hourly-3"),
        ];

        var plan = Make(there with { Snapshots = snapshots });

        Assert.Equal(["hourly-1", "hourly-2", "hourly-3"], plan.Foreign.Select(name => name.Leaf));
        AssertContinues(plan, 2);
        Assert.Equal(ResumeToken.Parse(TokenOf(2)), plan.Token);
    }

    [Fact]
    public void A_snapshot_of_a_backup_is_never_foreign_even_if_its_source_was_made_after_the_restore_began()
    {
        var late = Received(Chain[1]) with { IsMadeHere = true };

        var plan = Make(new PartialDataset(ChainDigest.Of(Chain, 2), [Received(Chain[0]), late], null));

        Assert.Empty(plan.Foreign);
        AssertContinues(plan, 2);
    }

    private static RestorePlan Make(
        PartialDataset? partial,
        IReadOnlyList<SnapshotInfo>? chain = null,
        IReadOnlyList<SnapshotInfo>? all = null
    ) => RestorePlan.Make(partial, chain ?? Chain, all ?? chain ?? Chain);

    private static void AssertContinues(RestorePlan plan, int first)
    {
        Assert.Equal(first, plan.First);
        Assert.Equal((null, null, null), (plan.Useless, plan.Dropped, plan.Conflict));
    }

    private static SnapshotInfo Stored(SnapshotInfo backup) =>
        backup with
        {
            PartsSha256 = $"digest{backup.SnapshotGuid}",
        };

    private static PartialDataset There(int whole, int noted, string? token) =>
        new(ChainDigest.Of(Chain, noted), [.. Chain.Take(whole).Select(Received)], token);

    private static PartialSnapshot Received(SnapshotInfo backup) =>
        new(Name(backup.SnapshotName), backup.SnapshotGuid, IsMadeHere: false);

    private static PartialSnapshot MadeHere(string leaf) => new(Name(leaf), new(1000), IsMadeHere: true);

    private static PartialSnapshot MadeBefore(string leaf) => new(Name(leaf), new(1000), IsMadeHere: false);

    private static SnapshotName Name(string leaf) => SnapshotName.Parse($"tank/r.restoring@{leaf}");

    /// <param name="token">"own" and "next": of the backup that comes then, and of the one after it.</param>
    /// <param name="whole">Number of complete ones.</param>
    private static string? Named(string? token, int whole) =>
        token switch
        {
            "own" => TokenOf(whole),
            "next" => TokenOf(whole + 1),
            _ => token,
        };

    private static string TokenOf(int index) => TokenOf(Chain[index]);

    private static string TokenOf(SnapshotInfo backup) =>
        new ResumeToken
        {
            SnapshotGuid = backup.SnapshotGuid.Value,
            BaseGuid = backup.FromGuid?.Value,
            Object = 8,
            Offset = 131072,
            Bytes = 5_000_000,
            FullSnapshotName = "tank/data@s",
        }.ToString();
}
