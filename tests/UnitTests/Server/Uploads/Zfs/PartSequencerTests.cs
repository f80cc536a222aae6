using ZfsSnapshotManager.Server.Uploads.Zfs;

namespace ZfsSnapshotManager.UnitTests.Server.Uploads.Zfs;

public sealed class PartSequencerTests
{
    private readonly PartSequencer _turns = new();

    [Fact]
    public async Task A_part_is_passed_on_after_the_one_before_it()
    {
        using var stop = new CancellationTokenSource();
        var second = _turns.EnterAsync("one", 2, stop.Token);
        Assert.False(second.IsCompleted);
        await _turns.EnterAsync("one", 1, stop.Token);
        await second;
        var turn = _turns.AwaitTurnAsync("one", 2, stop.Token);
        Assert.False(turn.IsCompleted);

        _turns.Wrote("one", 1);

        await turn;
        Assert.Equal(1, _turns.WrittenOf("one"));
    }

    [Fact]
    public async Task The_part_before_has_arrived_before_it_is_passed_on()
    {
        using var stop = new CancellationTokenSource();
        await _turns.EnterAsync("one", 1, stop.Token);
        await _turns.EnterAsync("one", 2, stop.Token);
        var (arrival, turn) = (
            _turns.AwaitArrivalAsync("one", 2, stop.Token),
            _turns.AwaitTurnAsync("one", 2, stop.Token)
        );
        Assert.False(arrival.IsCompleted);

        _turns.Arrived("one", 1);

        await arrival;
        Assert.False(turn.IsCompleted);
        _turns.Wrote("one", 1);
        await turn;
        await _turns.AwaitArrivalAsync("one", 2, stop.Token);
    }

    /// <summary>The answer to another part says why it ended, and no new receive may be found in its place.</summary>
    [Fact]
    public async Task Parts_that_wait_for_an_ended_receive_end_silently()
    {
        using var stop = new CancellationTokenSource();
        await _turns.EnterAsync("one", 1, stop.Token);
        await _turns.EnterAsync("one", 2, stop.Token);
        var turn = _turns.AwaitTurnAsync("one", 2, stop.Token);
        var fourth = _turns.EnterAsync("one", 4, stop.Token);

        _turns.Forget("one");
        var late = _turns.AwaitTurnAsync("one", 3, stop.Token);
        await Task.Yield();

        Assert.False(_turns.Has("one"));
        Assert.False(turn.IsCompleted || fourth.IsCompleted || late.IsCompleted);
        await stop.CancelAsync();
        foreach (var waiting in (Task[])[turn, fourth, late])
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }
}
