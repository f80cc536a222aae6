using System.Text.Json;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>Reads what the programs print with <c>--json</c>, and checks its shape (docs/json.md) each time.</summary>
internal static class CommandJson
{
    /// <summary>The whole object.</summary>
    public static JsonElement Parse(string output)
    {
        Assert.Equal(1, output.Count(c => c == '\n'));
        var report = JsonDocument.Parse(output).RootElement;
        string[] fields = ["format_version", "success", "results", "failures", "warnings"];
        if (report.TryGetProperty("left_out", out var leftOut))
        {
            Assert.NotEmpty(leftOut.EnumerateArray());
            fields = [.. fields, "left_out"];
        }

        Assert.Equal(fields, report.EnumerateObject().Select(field => field.Name));
        Assert.Equal(1, report.GetProperty("format_version").GetInt32());
        foreach (var failure in report.GetProperty("failures").EnumerateArray())
        {
            Assert.False(report.GetProperty("success").GetBoolean());
            Assert.NotEqual("", failure.GetProperty("message").GetString());
            Assert.NotEqual("", failure.GetProperty("code").GetString());
        }

        return report;
    }

    /// <summary>All results.</summary>
    public static JsonElement[] Results(string output) => [.. Parse(output).GetProperty("results").EnumerateArray()];

    /// <summary>The only result.</summary>
    public static JsonElement Result(string output) => Assert.Single(Results(output));
}
