using System.Text.Json;
using System.Text.RegularExpressions;

namespace ZfsSnapshotManager.Server.Files;

internal static partial class JsonFault
{
    /// <summary>
    /// The message of System.Text.Json about missing required properties, which ends with their names.
    /// </summary>
    [GeneratedRegex(
        "missing required properties including: (?<names>[^.]*)",
        RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking
    )]
    private static partial Regex MissingPattern();

    /// <summary>
    /// The position of the fault and, unless .NET's message names types that a user does not know, the fault itself.
    /// </summary>
    public static string Describe(JsonException e)
    {
        var position = e.LineNumber is { } line
            ? $"line {line + 1}, byte {e.BytePositionInLine + 1}"
            : "an unknown position";
        if (MissingPattern().Match(e.Message) is { Success: true } missing)
            return $"{missing.Groups["names"].Value} missing at {position}";
        var field = e.Path is null or "$" ? "" : $", field {e.Path.TrimStart('$', '.')}";
        var namesTypes =
            e.Message.Contains("System.", StringComparison.Ordinal)
            || e.Message.Contains("ZfsSnapshotManager.", StringComparison.Ordinal);
        if (namesTypes)
            return $"wrong or missing value at {position}{field}";
        var message = e.Message.Split(" Path:", 2)[0].Split(" LineNumber:", 2)[0].TrimEnd('.');
        return $"{message} at {position}{field}";
    }
}
