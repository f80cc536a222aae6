using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.UnitTests.Rotation;

public sealed class RotationPolicyTests
{
    [Fact]
    public void A_snapshot_of_the_end_of_time_has_no_successor()
    {
        var monthly = new RotationPolicy
        {
            KeepHourly = 0,
            KeepDaily = 0,
            KeepWeekly = 0,
        };

        Assert.Equal(History.Now.AddMonths(1), monthly.NextDue(History.Now));
        Assert.Equal(History.Now.AddHours(1), new RotationPolicy().NextDue(History.Now));
        Assert.Null(monthly.NextDue(DateTimeOffset.MaxValue));
        Assert.Null(new RotationPolicy().NextDue(DateTimeOffset.MaxValue));
    }
}
