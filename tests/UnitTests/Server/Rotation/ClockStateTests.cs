using ZfsSnapshotManager.Server.Backups;
using ZfsSnapshotManager.UnitTests.Rotation;

namespace ZfsSnapshotManager.UnitTests.Server.Rotation;

public sealed class ClockStateTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    [Theory]
    [InlineData(1, 1, false)] // it ran an hour
    [InlineData(100, 100, false)] // the job did not run for long, but the server did
    [InlineData(20, 0, false)] // it was off over night
    [InlineData(-500, 1, false)] // set back: nothing expires by that
    [InlineData(26, 1, true)]
    [InlineData(24 * 365, 1, true)]
    public void A_clock_that_is_a_day_ahead_of_its_time_has_jumped(int ahead, int ran, bool hasJumped)
    {
        var state = new ClockState(History.Now, null).Look(History.Now + (ahead * Hour), ran * Hour);

        Assert.Equal(hasJumped, state.TrustedFrom is not null);
        Assert.Equal(History.Now + (ahead * Hour), state.Seen);
    }

    [Fact]
    public void It_is_trusted_a_day_later_and_at_once_if_it_is_set_back()
    {
        var jumped = new ClockState(History.Now, null).Look(History.Now.AddYears(1), Hour);

        Assert.NotNull(jumped.Look(History.Now.AddYears(1).AddHours(23), 23 * Hour).TrustedFrom);
        Assert.Null(jumped.Look(History.Now.AddYears(1).AddHours(25), 25 * Hour).TrustedFrom);
        Assert.Null(jumped.Look(History.Now.AddHours(2), Hour).TrustedFrom);
        Assert.Null(new ClockState(null, null).Look(History.Now, Hour).TrustedFrom);
    }
}
