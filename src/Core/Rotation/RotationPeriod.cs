using System.Globalization;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>
/// The UTC hour, day, ISO week or month of a moment. UTC has no hour twice and none missing.
/// </summary>
/// <param name="Class">The length of the period.</param>
/// <param name="Number">Grows with time; equal for all moments of a period.</param>
internal readonly record struct RotationPeriod(SnapshotType Class, long Number)
{
    public static RotationPeriod Of(SnapshotType type, DateTimeOffset time)
    {
        var utc = time.UtcDateTime;
        var days = utc.Ticks / TimeSpan.TicksPerDay;
        return new RotationPeriod(
            type,
            type switch
            {
                SnapshotType.Hourly => utc.Ticks / TimeSpan.TicksPerHour,
                SnapshotType.Daily => days,
                SnapshotType.Weekly => days / 7, // day 0, 0001-01-01, was a Monday, as ISO weeks begin
                SnapshotType.Monthly => (utc.Year * 12L) + utc.Month,
                _ => throw new ArgumentOutOfRangeException(nameof(type), type, "it is not a class of the policy"),
            }
        );
    }

    /// <summary>Human-readable: <c>hour 2026-03-29 02</c>, <c>week 2026-W13</c>.</summary>
    public static string Describe(SnapshotType type, DateTimeOffset time)
    {
        var utc = time.UtcDateTime;
        return type switch
        {
            SnapshotType.Hourly => string.Create(CultureInfo.InvariantCulture, $"hour {utc:yyyy-MM-dd HH}:00"),
            SnapshotType.Daily => $"day {Timestamps.ToDay(time)}",
            SnapshotType.Weekly => string.Create(
                CultureInfo.InvariantCulture,
                $"week {ISOWeek.GetYear(utc):0000}-W{ISOWeek.GetWeekOfYear(utc):00}"
            ),
            _ => string.Create(CultureInfo.InvariantCulture, $"month {utc:yyyy-MM}"),
        };
    }
}
