using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.UnitTests.CommandLine;

public sealed class MomentTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 24, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("2026-01-31", "2026-01-31T00:00:00Z")]
    [InlineData("2026-01-31 12:30", "2026-01-31T12:30:00Z")]
    [InlineData("2026-01-31T12:30:00+02:00", "2026-01-31T10:30:00Z")]
    [InlineData("2026-01-31T12:30:00Z", "2026-01-31T12:30:00Z")]
    [InlineData("30m", "2026-11-24T11:30:00Z")]
    [InlineData("24h", "2026-11-23T12:00:00Z")]
    [InlineData("2w", "2026-11-10T12:00:00Z")]
    public void A_time_is_parsed_in_every_format(string text, string expected) =>
        Assert.Equal(DateTimeOffset.Parse(expected), Moment.Parse(text, Now));

    [Theory]
    [InlineData("")]
    [InlineData("h")]
    [InlineData("-5h")]
    [InlineData("yesterday")]
    [InlineData("99999999999d")]
    public void Anything_but_a_time_is_refused(string text) =>
        Assert.Throws<FormatException>(() => Moment.Parse(text, Now));
}
