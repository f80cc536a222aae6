using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Uploads.Parts;

namespace ZfsSnapshotManager.UnitTests.Server.Uploads;

public sealed class PartEvictionTests : IDisposable
{
    private const int Stalled = 1000;
    private const int Slow = 1024 * 1024;
    private const int Quick = 100 * 1024 * 1024;
    private const int Slots = 12;

    private readonly SetTime _clock = new(DateTimeOffset.UnixEpoch);
    private readonly FairSlots _slots = new(100, 100);
    private readonly List<PartSlot> _parts = [];

    public void Dispose() => _parts.ForEach(part => part.Dispose());

    [Fact]
    public void Who_holds_more_than_its_share_gives_up_the_slow_part_with_the_fewest_bytes()
    {
        for (var number = 0; number < 6; number++)
            Receive("greedy", Slow + number);
        var least = Receive("greedy", Slow - 1);
        Receive("greedy", Quick);

        Assert.Same(least, Choose(waiting: "other"));
        Assert.Same(least, Choose(waiting: "other", only: "greedy"));
        Assert.Null(Choose(waiting: "greedy")); // nobody else would gain
    }

    [Fact]
    public void Within_its_share_a_client_keeps_what_is_slow_and_gives_up_what_stands_still()
    {
        for (var number = 0; number < 3; number++)
            Receive("slow", Slow);
        Assert.Null(Choose(waiting: "other"));

        Receive("slow", Stalled + 1);
        var least = Receive("slow", Stalled);
        Receive("slow", Stalled + 1);

        Assert.Same(least, Choose(waiting: "other"));
    }

    [Fact]
    public void The_only_part_of_a_client_stays_while_another_client_has_several()
    {
        var only = Receive("one", Stalled);
        Receive("several", Slow);
        Assert.Same(only, Choose(waiting: "other"));

        Receive("several", Slow);
        Assert.Null(Choose(waiting: "other"));

        var least = Receive("several", Stalled + 1);
        Assert.Same(least, Choose(waiting: "other"));
    }

    [Fact]
    public void A_client_that_has_its_share_of_slow_slots_gives_up_its_own()
    {
        Receive("stranger", Stalled);
        Receive("stranger", Stalled);
        Receive("stuck", Slow);

        Assert.Null(Choose(waiting: "other", only: "stuck"));
        var stalled = Receive("stuck", Stalled);

        Assert.Same(stalled, Choose(waiting: "other", only: "stuck"));
    }

    [Fact]
    public void A_part_that_has_arrived_is_never_taken()
    {
        Receive("client", Stalled).Complete();

        Assert.Null(Choose(waiting: "other"));
    }

    private PartSlot? Choose(string waiting, string? only = null) =>
        PartEviction.Choose(_parts, [waiting], Slots, only);

    /// <summary>A part that has brought so many bytes in six seconds.</summary>
    private PartSlot Receive(string client, int bytes)
    {
        var part = new PartSlot(client, _slots.TryAcquire(client)!, _clock, _ => { });
        part.BeginWait();
        _clock.Advance(TimeSpan.FromSeconds(6));
        part.EndWait(bytes);
        _parts.Add(part);
        return part;
    }
}
