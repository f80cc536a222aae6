using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.UnitTests.Server.Http;

public sealed class FairSlotsTests
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(5);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_released_slot_goes_to_the_waiting_client_that_holds_the_fewest()
    {
        var slots = new FairSlots(limit: 3, perClient: 3);
        var held = Enumerable.Range(0, 3).Select(_ => slots.TryAcquire("many")!).ToList();
        var many = slots.AcquireAsync("many", Long, Token);
        var few = slots.AcquireAsync("few", Long, Token);
        Assert.True(slots.IsAwaited);

        held[0].Dispose();
        held[0].Dispose(); // counts once

        Assert.NotNull(await few);
        Assert.False(many.IsCompleted);
        held[1].Dispose();
        Assert.NotNull(await many);
        Assert.Null(slots.TryAcquire("other"));
    }

    [Fact]
    public async Task A_client_holds_no_more_than_its_share_also_while_slots_are_unused()
    {
        var slots = new FairSlots(limit: 4, perClient: 2);
        var first = slots.TryAcquire("greedy")!;
        Assert.NotNull(slots.TryAcquire("greedy"));

        Assert.Null(slots.TryAcquire("greedy"));
        var third = slots.AcquireAsync("greedy", Long, Token);
        Assert.False(slots.IsAwaited); // none of the others' slots would help it
        Assert.NotNull(await slots.AcquireAsync("modest", Long, Token));

        first.Dispose();
        Assert.NotNull(await third);
    }

    [Fact]
    public async Task What_a_client_holds_beside_counts_too()
    {
        var slots = new FairSlots(limit: 1, perClient: 1, client => client == "rich" ? 3 : 0);
        var held = slots.TryAcquire("other")!;
        var rich = slots.AcquireAsync("rich", Long, Token);
        var poor = slots.AcquireAsync("poor", Long, Token);

        held.Dispose();

        var granted = await poor;
        Assert.False(rich.IsCompleted);
        granted!.Dispose();
        Assert.NotNull(await rich);
    }

    [Fact]
    public async Task Whoever_gives_up_leaves_the_line()
    {
        var slots = new FairSlots(limit: 1, perClient: 1);
        var held = slots.TryAcquire("a")!;
        using var end = new CancellationTokenSource();
        var cancelled = slots.AcquireAsync("b", Long, end.Token);

        Assert.Null(await slots.AcquireAsync("b", TimeSpan.Zero, Token));
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);

        Assert.False(slots.IsAwaited);
        held.Dispose();
        Assert.NotNull(slots.TryAcquire("c"));
    }
}
