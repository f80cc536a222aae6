using ZfsSnapshotManager.Core.Api;
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
        Assert.Equal(new RestorePlan(0, null, null), RestorePlan.Make(null, Chain));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    [InlineData(2, 3)]
    public void An_interrupted_receive_resumes_at_its_token(int whole, int noted)
    {
        var plan = RestorePlan.Make(There(whole, noted, TokenOf(whole)), Chain);

        Assert.Null(plan.Unusable);
        Assert.Equal(whole, plan.First);
        Assert.Equal(ResumeToken.Parse(TokenOf(whole)), plan.Token);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    [InlineData(2, 2)]
    [InlineData(3, 3)]
    public void Between_two_receives_it_resumes_with_the_next(int whole, int noted) =>
        Assert.Equal(new RestorePlan(whole, null, null), RestorePlan.Make(There(whole, noted, null), Chain));

    [Fact]
    public void A_restored_part_of_a_chain_is_used_by_a_longer_one()
    {
        var there = There(2, 3, TokenOf(2));

        Assert.Null(RestorePlan.Make(there, [.. Chain, Stored(Backups.Incremental(4, 3))]).Unusable);
    }

    [Fact]
    public void A_partial_restore_that_does_not_fit_is_deleted_first_with_the_reason()
    {
        (PartialDataset There, string Why)[] cases =
        [
            (There(0, 1, null), "none of it can be resumed"),
            (There(0, 1, "1-abc"), "is not valid"),
            (There(0, 1, TokenOf(1)), "not the next"),
            (There(1, 2, TokenOf(2)), "not the next"),
            (There(3, 3, TokenOf(2)), "not the next"),
            (There(1, 3, TokenOf(1)), "from other backups"),
            (There(1, 2, TokenOf(1)) with { Received = null }, "from other backups"),
            (There(1, 2, TokenOf(1)) with { Received = "0" }, "from other backups"),
            (There(1, 2, null) with { Snapshots = [new(7)] }, "snapshots that do not belong to this restore"),
            (
                There(3, 3, null) with
                {
                    Snapshots = [new(1), new(2), new(3), new(4)],
                },
                "snapshots that do not belong to this restore"
            ),
        ];
        foreach (var (there, why) in cases)
        {
            var plan = RestorePlan.Make(there, Chain);
            Assert.Contains(why, plan.Unusable, StringComparison.Ordinal);
            Assert.Equal((0, null), (plan.First, plan.Token));
        }
    }

    [Fact]
    public void Another_backup_of_the_same_snapshot_does_not_resume_the_first()
    {
        SnapshotInfo[] other = [Chain[0] with { PartsSha256 = "other" }, .. Chain[1..]];

        Assert.Equal("it was received from other backups", RestorePlan.Make(There(1, 2, TokenOf(1)), other).Unusable);
    }

    private static SnapshotInfo Stored(SnapshotInfo backup) =>
        backup with
        {
            PartsSha256 = $"digest{backup.SnapshotGuid}",
        };

    private static PartialDataset There(int whole, int noted, string? token) =>
        new(ChainDigest.Of(Chain, noted), [.. Chain.Take(whole).Select(backup => backup.SnapshotGuid)], token);

    private static string TokenOf(int index) =>
        new ResumeToken
        {
            SnapshotGuid = Chain[index].SnapshotGuid.Value,
            BaseGuid = Chain[index].FromGuid?.Value,
            Object = 8,
            Offset = 131072,
            Bytes = 5_000_000,
            FullSnapshotName = "tank/data@s",
        }.ToString();
}
