using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;

namespace ZfsSnapshotManager.UnitTests.Chains;

public sealed class BackupOrderTests
{
    private static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch.AddYears(56);

    [Fact]
    public void What_arrived_later_is_newer_whatever_the_clock_said()
    {
        var future = Arrived(Backups.Full(1), made: 40_000, received: 1);
        var next = Arrived(Backups.Full(2), made: 2, received: 2);
        var past = Arrived(Backups.Full(3), made: -400_000, received: 3);

        Assert.Equal([past, next, future], Sort(future, past, next));
    }

    [Fact]
    public void An_incremental_is_newer_than_its_base_even_if_that_was_stored_again_later()
    {
        var first = Arrived(Backups.Full(1), made: 1, received: 1);
        var incremental = Arrived(Backups.Incremental(2, 1), made: 2, received: 2);
        var again = Arrived(Backups.Full(1), made: 1, received: 3) with { SnapshotId = "c/again" };

        Assert.Equal(incremental, Sort(again, incremental, first)[0]);
        // Also when the first copy is deleted.
        Assert.Equal(incremental, Sort(again, incremental)[0]);
    }

    [Fact]
    public void Times_decide_only_between_what_arrived_together()
    {
        var earlier = Arrived(Backups.Full(1, "tank/a"), made: 1, received: 5);
        var later = Arrived(Backups.Full(2, "tank/b"), made: 2, received: 5);

        Assert.Equal([later, earlier], Sort(earlier, later));
    }

    [Fact]
    public void A_broken_chain_and_a_circle_of_bases_have_their_own_arrival()
    {
        var orphan = Arrived(Backups.Incremental(5, 99), made: 1, received: 2);
        var left = Arrived(Backups.Incremental(1, 2), made: 1, received: 1);
        var right = Arrived(Backups.Incremental(2, 1), made: 1, received: 3);

        Assert.Equal([right, orphan, left], Sort(orphan, left, right));
    }

    [Fact]
    public void A_wrong_clock_is_named_with_what_proves_it()
    {
        var future = Arrived(Backups.Full(1), made: 40_000, received: 1);
        var onFuture = Arrived(Backups.Incremental(2, 1), made: 2, received: 2);
        var past = Arrived(Backups.Incremental(3, 2), made: -400_000, received: 3);
        var late = Arrived(Backups.Full(4), made: 1, received: 30_000);
        var order = Order(future, onFuture, past, late);

        Assert.Contains("it arrived before", order.FindClockFault(future), StringComparison.Ordinal);
        Assert.Null(order.FindClockFault(onFuture));
        Assert.Contains("its base is of", order.FindClockFault(past), StringComparison.Ordinal);
        Assert.Null(order.FindClockFault(late));
        Assert.Equal(future.ReceivedAt, BackupOrder.TimeOf(future));
        Assert.Equal(late.Timestamp, BackupOrder.TimeOf(late));
    }

    private static BackupOrder Order(params SnapshotInfo[] backups) => new(backups, new BackupChains(backups));

    private static IReadOnlyList<SnapshotInfo> Sort(params SnapshotInfo[] backups) => Order(backups).NewestFirst;

    /// <param name="made">By the client's clock, in hours.</param>
    /// <param name="received">In hours.</param>
    private static SnapshotInfo Arrived(SnapshotInfo backup, int made, int received) =>
        backup with
        {
            Timestamp = Start.AddHours(made),
            ReceivedAt = Start.AddHours(received),
        };
}
