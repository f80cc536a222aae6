using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.UnitTests.CommandLine;

public sealed class JsonReportTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void Results_and_failures_are_lists_in_one_object_however_many_there_are(int count)
    {
        var values = Enumerable.Range(0, count).Select(number => $"value \"{number}\"").ToList();

        var report = Write(success: true, values);

        Assert.True(report.GetProperty("success").GetBoolean());
        Assert.Equal(values, report.GetProperty("results").EnumerateArray().Select(value => value.GetString()));
        Assert.Empty(report.GetProperty("failures").EnumerateArray());
    }

    [Fact]
    public void A_failure_has_its_message_its_code_and_what_is_known_besides()
    {
        var e = new OperationException(ExitCode.Zfs, "one\nline", "do this");
        var report = Write(
            success: false,
            [],
            new CommandFailure
            {
                Dataset = "tank/a",
                Message = e.Message,
                Code = CommandFailure.CodeOf(e, e.ExitCode),
                Remedy = e.Remedy,
            },
            new CommandFailure { Message = "two", Code = "server_code" }
        );

        Assert.False(report.GetProperty("success").GetBoolean());
        Assert.Equal(
            [
                """{"dataset":"tank/a","message":"one\nline","code":"zfs","remedy":"do this"}""",
                """{"message":"two","code":"server_code"}""",
            ],
            report.GetProperty("failures").EnumerateArray().Select(failure => failure.GetRawText())
        );
    }

    [Fact]
    public void Datasets_that_were_left_out_are_named_with_the_reason()
    {
        using var text = new StringWriter();
        JsonReport.Write(
            text,
            success: true,
            ["one"],
            ApiJson.Default.String,
            [],
            [new LeftOutDataset { Dataset = "tank/store", Reason = "a zfs-server stores backups in it" }]
        );

        var leftOut = JsonDocument.Parse(text.ToString()).RootElement.GetProperty("left_out");

        Assert.Equal(
            """[{"dataset":"tank/store","reason":"a zfs-server stores backups in it"}]""",
            leftOut.GetRawText()
        );
    }

    private static JsonElement Write(bool success, IEnumerable<string> values, params CommandFailure[] failures)
    {
        using var text = new StringWriter { NewLine = "\n" };
        JsonReport.Write(text, success, values, ApiJson.Default.String, failures, []);
        Assert.Equal(1, text.ToString().Count(c => c == '\n'));
        var report = JsonDocument.Parse(text.ToString()).RootElement;
        Assert.Equal(
            ["format_version", "success", "results", "failures", "warnings"],
            report.EnumerateObject().Select(field => field.Name)
        );
        Assert.Equal(JsonReport.FormatVersion, report.GetProperty("format_version").GetInt32());
        return report;
    }
}
