using ZfsSnapshotManager.Server.Uploads.Parts;

namespace ZfsSnapshotManager.UnitTests.Server.Uploads;

public sealed class ArrivalRateTests
{
    private readonly SetTime _clock = new(DateTimeOffset.UnixEpoch);

    [Fact]
    public void Only_the_time_counts_in_which_bytes_are_awaited()
    {
        var rate = new ArrivalRate(1000, TimeSpan.FromSeconds(5), _clock);
        Wait(rate, 4, bytes: 100);
        _clock.Advance(TimeSpan.FromHours(1)); // the server stores what it has

        Assert.False(rate.IsBelow);
        Wait(rate, 1, bytes: 100);
        Assert.True(rate.IsBelow);
    }

    [Fact]
    public void Bytes_that_do_not_come_count_while_they_are_awaited()
    {
        var rate = new ArrivalRate(1000, TimeSpan.FromSeconds(5), _clock);
        Wait(rate, 5, bytes: 1_000_000);
        Assert.False(rate.IsBelow);

        rate.BeginWait();
        _clock.Advance(TimeSpan.FromSeconds(4));
        Assert.False(rate.IsBelow);
        _clock.Advance(TimeSpan.FromSeconds(2));

        Assert.True(rate.IsBelow);
    }

    [Fact]
    public void What_was_slow_stays_so_until_a_whole_window_was_quick()
    {
        var rate = new ArrivalRate(1000, TimeSpan.FromSeconds(5), _clock);
        Wait(rate, 6, bytes: 10);

        Wait(rate, 1, bytes: 1_000_000);
        Assert.True(rate.IsBelow);
        Wait(rate, 5, bytes: 10);

        Assert.False(rate.IsBelow);
    }

    private void Wait(ArrivalRate rate, int seconds, int bytes)
    {
        rate.BeginWait();
        _clock.Advance(TimeSpan.FromSeconds(seconds));
        rate.EndWait(bytes);
    }
}
