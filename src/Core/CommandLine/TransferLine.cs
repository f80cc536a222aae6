using System.Globalization;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>
/// The line that shows the progress of a transfer. Any numbers have a line: what is shown must never end a transfer.
/// </summary>
public static class TransferLine
{
    /// <summary>A longer time is no estimate any more.</summary>
    private static readonly TimeSpan LongestEstimate = TimeSpan.FromHours(99);

    /// <param name="what">The name of the transfer.</param>
    /// <param name="bytes">Bytes that are transferred, <paramref name="already"/> among them.</param>
    /// <param name="already">Bytes that an earlier run transferred, which do not count for the rate.</param>
    /// <param name="expected">Bytes of the whole, an estimate; null if unknown.</param>
    /// <param name="elapsed">Time since this run began.</param>
    public static string Describe(string what, long bytes, long already, long? expected, TimeSpan elapsed)
    {
        var rate = RateOf(bytes, already, elapsed);
        var text = $"{what}: {ByteSize.Format(bytes)}, {ByteSize.Format(long.CreateSaturating(rate))}/s";
        if (expected is not { } whole || whole <= 0 || bytes >= whole)
            return text;
        text = string.Create(
            CultureInfo.InvariantCulture,
            $"{text}, {Math.Max(0, 100.0 * bytes / whole):0}% of about {ByteSize.Format(whole)}"
        );
        return FindTimeLeft(((double)whole - bytes) / rate) is { } left ? $"{text}, {left} left" : text;
    }

    /// <returns>Bytes per second; 0 if fewer bytes are there than at the start.</returns>
    private static double RateOf(long bytes, long already, TimeSpan elapsed)
    {
        var gained = (double)bytes - already;
        if (gained <= 0 || elapsed <= TimeSpan.Zero)
            return 0;
        return gained / elapsed.TotalSeconds;
    }

    /// <returns>Hours, minutes and seconds; null if there is no rate to estimate by, or they are too many.</returns>
    private static string? FindTimeLeft(double seconds)
    {
        if (!(seconds <= LongestEstimate.TotalSeconds))
            return null;
        var left = TimeSpan.FromSeconds(seconds);
        return string.Create(CultureInfo.InvariantCulture, $"{(int)left.TotalHours:00}:{left:mm\\:ss}");
    }
}
