using System.Text.Json;
using System.Text.RegularExpressions;

namespace ZfsSnapshotManager.Server.Files;

internal static partial class JsonFault
{
    /// <summary>What System.Text.Json says of required properties, with their names at the end.</summary>
    [GeneratedRegex(
        "missing required properties including: (?<names>[^.]*)",
        RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking
    )]
    private static partial Regex MissingPattern();

    /// <summary>
    /// Where the fault is and, where the reader's words help, what it is: .NET's own message names types that a user
    /// does not know.
    /// </summary>
    public static string Describe(JsonException e)
    {
        var place = e.LineNumber is { } line ? $"line {line + 1}, byte {e.BytePositionInLine + 1}" : "an unknown place";
        if (MissingPattern().Match(e.Message) is { Success: true } missing)
            return $"{missing.Groups["names"].Value} missing at {place}";
        var field = e.Path is null or "$" ? "" : $", field {e.Path.TrimStart('$', '.')}";
        return
            e.Message.Contains("System.", StringComparison.Ordinal)
            || e.Message.Contains("ZfsSnapshotManager.", StringComparison.Ordinal)
            ? $"wrong or missing value at {place}{field}"
            : $"{e.Message.Split(" Path:", 2)[0].Split(" LineNumber:", 2)[0].TrimEnd('.')} at {place}{field}";
    }
}
