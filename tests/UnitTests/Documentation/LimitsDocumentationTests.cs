using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.UnitTests.Documentation;

/// <summary>docs/configuration.md lists each limit of the server with its figure and why it is what it is.</summary>
public sealed partial class LimitsDocumentationTests
{
    [Fact]
    public void Every_limit_is_documented_with_its_figure_and_no_other()
    {
        var limits = typeof(Limits)
            .GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(field => $"{NameOf(field.Name)} | {Format(field.Name, field.GetValue(null)!)}");
        var document = DocumentFiles.Read("docs/configuration.md");
        var start = document.IndexOf("### Limits", StringComparison.Ordinal);
        var section = document[start..document.IndexOf("\n## ", start, StringComparison.Ordinal)];
        var documented = RowPattern().Matches(section).Select(row => row.Groups["row"].Value);

        Assert.Equal(limits.Order(StringComparer.Ordinal), documented.Order(StringComparer.Ordinal));
    }

    /// <summary>As words, without the unit: "slow part" of SlowPartBytesPerSecond.</summary>
    private static string NameOf(string name) =>
        WordPattern()
            .Replace(name.Replace("PerSecond", "", StringComparison.Ordinal), match => " " + match.Value)
            .Replace(" Bytes", "", StringComparison.Ordinal)
            .Trim()
            .ToLowerInvariant();

    private static string Format(string name, object value) =>
        value switch
        {
            TimeSpan time => $"{time.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s",
            int size when name.Contains("Bytes", StringComparison.Ordinal) => FormatBytes(size)
                + (name.EndsWith("PerSecond", StringComparison.Ordinal) ? "/s" : ""),
            int count => $"{count}",
            _ => throw new ArgumentException($"{name} is of no known kind.", nameof(value)),
        };

    private static string FormatBytes(int size)
    {
        if (size >= 1 << 20)
            return $"{size >> 20} MiB";
        return size >= 1 << 10 ? $"{size >> 10} KiB" : $"{size} bytes";
    }

    [GeneratedRegex("(?<!^)[A-Z]", RegexOptions.ExplicitCapture, DocumentFiles.MatchTimeout)]
    private static partial Regex WordPattern();

    [GeneratedRegex(
        @"^\| (?<row>[a-z ]+ \| [0-9][^|]*) \| [^|]+ \|$",
        RegexOptions.ExplicitCapture | RegexOptions.Multiline,
        DocumentFiles.MatchTimeout
    )]
    private static partial Regex RowPattern();
}
