using System.Globalization;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>Human-readable byte counts in decimal units, as disks and object stores count.</summary>
public static class ByteSize
{
    private static readonly string[] Units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

    public static string Format(long bytes)
    {
        double value = bytes;
        var unit = 0;
        while (value >= 999.95 && unit < Units.Length - 1)
        {
            value /= 1000;
            unit++;
        }

        return unit == 0 ? $"{bytes} B" : $"{value:0.0} {Units[unit]}";
    }

    /// <summary>Reads <c>100G</c>, <c>1.5TB</c>, <c>512MiB</c> or a plain number of bytes.</summary>
    public static long Parse(string text)
    {
        var digits = text.TakeWhile(c => char.IsAsciiDigit(c) || c == '.').Count();
        if (
            !decimal.TryParse(
                text[..digits],
                NumberStyles.AllowDecimalPoint,
                CultureInfo.InvariantCulture,
                out var number
            )
        )
            throw Wrong(text);
        var size = number * Factor(text[digits..].Trim(), text);
        return size <= long.MaxValue ? (long)size : throw Wrong(text);
    }

    private static decimal Factor(string unit, string text)
    {
        if (unit.Length == 0 || unit.Equals("B", StringComparison.OrdinalIgnoreCase))
            return 1;
        var power = "KMGTPE".IndexOf(char.ToUpperInvariant(unit[0]), StringComparison.Ordinal) + 1;
        var step = unit[1..].ToUpperInvariant() switch
        {
            "" or "B" => 1000m,
            "I" or "IB" => 1024m,
            _ => throw Wrong(text),
        };
        if (power == 0)
            throw Wrong(text);
        var factor = 1m;
        for (var i = 0; i < power; i++)
            factor *= step;
        return factor;
    }

    private static FormatException Wrong(string text) =>
        new($"'{text}' is not a size; write 100G (decimal), 100GiB (binary) or a number of bytes");
}
