using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using ZfsSnapshotManager.Client.Commands;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Commands;
using ZfsSnapshotManager.Server.Commands;

namespace ZfsSnapshotManager.UnitTests.Documentation;

/// <summary>The elements of <c>results</c> have the fields that docs/json.md lists, and no others.</summary>
public sealed partial class JsonDocumentationTests
{
    private static readonly Dictionary<string, JsonTypeInfo> Rows = new(StringComparer.Ordinal)
    {
        ["`backup`, `backup-full`, `backup-incremental`"] = ClientJson.Default.BackupResult,
        ["`snapshot`"] = ClientJson.Default.SnapshotResult,
        ["`rotate`"] = ClientJson.Default.LocalRotationResult,
        ["`bookmarks`"] = ClientJson.Default.BookmarkRow,
        ["`doctor`"] = DiagnosisJson.Default.DiagnosisLine,
        ["`restore`, `latest`"] = RestoreJson.Default.RestoreResult,
        ["`save`"] = RestoreJson.Default.SaveResult,
        ["`mount`"] = RestoreJson.Default.MountResult,
        ["`verify`"] = RestoreJson.Default.VerifiedBackup,
        ["`stream info`, `stream verify`"] = RestoreJson.Default.StreamReport,
        ["`stream resume-token`"] = RestoreJson.Default.TokenInfo,
        ["`stream merge`, `splice`, `resume-receive`, with `--output`"] = RestoreJson.Default.StreamFileResult,
        ["`client list`, `client show`"] = ClientCommandsJson.Default.ListedClient,
        ["`client add`"] = ClientCommandsJson.Default.AddedClient,
        ["`client rotate-key`"] = ClientCommandsJson.Default.RotatedKey,
        ["`client set`, `enable`, `disable`"] = ClientCommandsJson.Default.ChangedClient,
        ["`client remove`"] = ClientCommandsJson.Default.RemovedClient,
        ["`backup list`, `pin`, `unpin`"] = BackupCommandsJson.Default.AdministeredBackup,
        ["`backup show`"] = BackupCommandsJson.Default.ShownBackup,
        ["`catalogue check`"] = CatalogueJson.Default.CheckReport,
        ["`catalogue rebuild`"] = CatalogueJson.Default.RebuildReport,
        ["`storage probe`"] = StorageCommandsJson.Default.ProbeResult,
    };

    public static TheoryData<string> Commands => [.. Rows.Keys];

    [Theory]
    [MemberData(nameof(Commands))]
    public void The_fields_of_a_result_are_those_of_the_table(string command)
    {
        var row = DocumentFiles
            .Read("docs/json.md")
            .Split('\n')
            .First(line => line.StartsWith($"| {command} |", StringComparison.Ordinal));
        var fields = Parentheses().Replace(row.Split('|')[3], "");

        Assert.Equal(
            Rows[command]
                .Properties.Where(property => property.Get is not null) // null: left out of JSON
                .Select(property => property.Name)
                .Order(StringComparer.Ordinal),
            Field().Matches(fields).Select(field => field.Groups[1].Value).Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public void The_example_has_the_shape_that_is_printed()
    {
        var example = DocumentFiles.Read("docs/json.md").Split("```json\n")[1].Split("\n```")[0];
        using var document = System.Text.Json.JsonDocument.Parse(example);

        Assert.Equal(
            ["format_version", "success", "results", "failures"],
            document.RootElement.EnumerateObject().Select(field => field.Name)
        );
        Assert.Equal(JsonReport.FormatVersion, document.RootElement.GetProperty("format_version").GetInt32());
    }

    [GeneratedRegex(@"\([^()]*(\([^()]*\)[^()]*)*\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5_000)]
    private static partial Regex Parentheses();

    [GeneratedRegex("`([a-z_0-9]+)`", RegexOptions.None, matchTimeoutMilliseconds: 5_000)]
    private static partial Regex Field();
}
