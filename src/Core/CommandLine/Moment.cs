using System.Globalization;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>
/// A moment as a user writes it: <c>2026-01-31</c>, <c>2026-01-31T12:00:00Z</c>, or a time ago: <c>30m</c>, <c>24h</c>,
/// <c>7d</c>, <c>2w</c>.
/// </summary>
public static class Moment
{
    /// <exception cref="FormatException">It is not one of these.</exception>
    public static DateTimeOffset Parse(string text, DateTimeOffset now)
    {
        if (
            text.Length > 1
            && UnitOf(text[^1]) is { } unit
            && int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            && count <= 100_000
        )
            return now - (unit * count);
        // Without a time zone, it is UTC, as in all lists and logs.
        return
            char.IsAsciiDigit(text.FirstOrDefault())
            && DateTimeOffset.TryParse(
                text,
                CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal,
                out var moment
            )
            ? moment
            : throw new FormatException(
                $"'{text}' is not a time; write 2026-01-31, 2026-01-31T12:00:00Z, or 30m, 24h, 7d, 2w for a time ago"
            );
    }

    private static TimeSpan? UnitOf(char letter) =>
        letter switch
        {
            'm' => TimeSpan.FromMinutes(1),
            'h' => TimeSpan.FromHours(1),
            'd' => TimeSpan.FromDays(1),
            'w' => TimeSpan.FromDays(7),
            _ => null,
        };
}
