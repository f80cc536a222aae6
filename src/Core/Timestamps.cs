using System.Globalization;

namespace ZfsSnapshotManager.Core;

/// <summary>How times are written. All are in UTC, so that they mean the same on every machine.</summary>
public static class Timestamps
{
    /// <summary>The format of the time at the start of a log line: <c>2026-02-13T14:30:05Z </c></summary>
    public const string LogFormat = "yyyy-MM-ddTHH:mm:ssZ ";

    /// <summary><c>2026-02-13 14:30:05Z</c></summary>
    public static string ToSecond(DateTimeOffset time) => Format(time, "yyyy-MM-dd HH:mm:ss'Z'");

    /// <summary><c>2026-02-13 14:30Z</c></summary>
    public static string ToMinute(DateTimeOffset time) => Format(time, "yyyy-MM-dd HH:mm'Z'");

    /// <summary><c>2026-02-13 14:30</c>, for lists, in which all times are in UTC.</summary>
    public static string ToMinuteInList(DateTimeOffset time) => Format(time, "yyyy-MM-dd HH:mm");

    /// <summary><c>2026-02-13</c></summary>
    public static string ToDay(DateTimeOffset time) => Format(time, "yyyy-MM-dd");

    /// <summary><c>2026-02-13_14:30:05</c>, for names of snapshots and backups.</summary>
    public static string ForName(DateTimeOffset time) => Format(time, "yyyy-MM-dd_HH:mm:ss");

    /// <summary><c>20260213T143005Z</c>, for names of files.</summary>
    public static string ForFileName(DateTimeOffset time) => Format(time, "yyyyMMdd'T'HHmmss'Z'");

    private static string Format(DateTimeOffset time, string format) =>
        time.UtcDateTime.ToString(format, CultureInfo.InvariantCulture);
}
