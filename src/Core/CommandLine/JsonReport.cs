using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>
/// What every command of every program prints with <c>--json</c>: one object of one shape, whatever the settings and
/// whether it succeeded (docs/json.md). The warnings are those that the command has given until then. Written piece by
/// piece: a list may have 50,000 elements.
/// </summary>
public static class JsonReport
{
    /// <summary>Raised when a field is removed or gets another meaning, not when one is added.</summary>
    public const int FormatVersion = 1;

    /// <param name="success">Whether the exit code is 0.</param>
    /// <param name="results">An element for each dataset, backup, or whatever the command is about.</param>
    /// <param name="failures">Why it failed, as a whole or for some datasets.</param>
    /// <param name="leftOut">Datasets that it did not work on; the field is left out if there are none.</param>
    public static void Write<T>(
        TextWriter output,
        bool success,
        IEnumerable<T> results,
        JsonTypeInfo<T> type,
        IEnumerable<CommandFailure> failures,
        IReadOnlyCollection<LeftOutDataset> leftOut
    )
    {
        output.Write(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{{\"format_version\":{FormatVersion},\"success\":{(success ? "true" : "false")},\"results\":"
            )
        );
        WriteList(output, results, type);
        output.Write(",\"failures\":");
        WriteList(output, failures, CommandFailureJson.Default.CommandFailure);
        output.Write(",\"warnings\":");
        WriteList(output, CommandWarnings.All, ApiJson.Default.String);
        if (leftOut.Count > 0)
        {
            output.Write(",\"left_out\":");
            WriteList(output, leftOut, CommandFailureJson.Default.LeftOutDataset);
        }

        output.WriteLine('}');
    }

    private static void WriteList<T>(TextWriter output, IEnumerable<T> values, JsonTypeInfo<T> type)
    {
        var separator = "[";
        foreach (var value in values)
        {
            output.Write(separator);
            output.Write(JsonSerializer.Serialize(value, type));
            separator = ",";
        }

        output.Write(separator == "[" ? "[]" : "]");
    }
}
