using System.Collections;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ZfsSnapshotManager.Client.Commands;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Commands;
using ZfsSnapshotManager.Server.Commands;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.UnitTests.Documentation;

/// <summary>
/// The elements of <c>results</c> have the fields that docs/json.md lists, and no others. A system test compares them
/// with what the programs print.
/// </summary>
public sealed class JsonDocumentationTests
{
    private static readonly JsonTables Tables = new(DocumentFiles.Root);

    private static readonly Dictionary<string, JsonTypeInfo> Types = new(StringComparer.Ordinal)
    {
        ["zfs-client backup"] = ClientJson.Default.BackupResult,
        ["zfs-client backup-full"] = ClientJson.Default.BackupResult,
        ["zfs-client backup-incremental"] = ClientJson.Default.BackupResult,
        ["zfs-client snapshot"] = ClientJson.Default.SnapshotResult,
        ["zfs-client rotate"] = ClientJson.Default.LocalRotationResult,
        ["zfs-client rotate-remote"] = ApiJson.Default.RotateAnswer,
        ["zfs-client status"] = ApiJson.Default.StatusAnswer,
        ["zfs-client bookmarks"] = ClientJson.Default.BookmarkRow,
        ["zfs-client doctor"] = DiagnosisJson.Default.DiagnosisLine,
        ["zfs-restore list"] = RestoreJson.Default.SnapshotInfo,
        ["zfs-restore restore"] = RestoreJson.Default.RestoreResult,
        ["zfs-restore latest"] = RestoreJson.Default.RestoreResult,
        ["zfs-restore save"] = RestoreJson.Default.SaveResult,
        ["zfs-restore mount"] = RestoreJson.Default.MountResult,
        ["zfs-restore verify"] = RestoreJson.Default.VerifiedBackup,
        ["zfs-restore stream info"] = RestoreJson.Default.StreamReport,
        ["zfs-restore stream verify"] = RestoreJson.Default.StreamReport,
        ["zfs-restore stream resume-token"] = RestoreJson.Default.TokenInfo,
        ["zfs-restore stream merge"] = RestoreJson.Default.StreamFileResult,
        ["zfs-restore stream splice"] = RestoreJson.Default.StreamFileResult,
        ["zfs-restore stream resume-receive"] = RestoreJson.Default.StreamFileResult,
        ["zfs-restore doctor"] = DiagnosisJson.Default.DiagnosisLine,
        ["zfs-server client list"] = ClientCommandsJson.Default.ListedClient,
        ["zfs-server client show"] = ClientCommandsJson.Default.ListedClient,
        ["zfs-server client add"] = ClientCommandsJson.Default.AddedClient,
        ["zfs-server client rotate-key"] = ClientCommandsJson.Default.RotatedKey,
        ["zfs-server client set"] = ClientCommandsJson.Default.ChangedClient,
        ["zfs-server client enable"] = ClientCommandsJson.Default.ChangedClient,
        ["zfs-server client disable"] = ClientCommandsJson.Default.ChangedClient,
        ["zfs-server client remove"] = ClientCommandsJson.Default.RemovedClient,
        ["zfs-server backup list"] = BackupCommandsJson.Default.AdministeredBackup,
        ["zfs-server backup pin"] = BackupCommandsJson.Default.AdministeredBackup,
        ["zfs-server backup unpin"] = BackupCommandsJson.Default.AdministeredBackup,
        ["zfs-server backup keep"] = BackupCommandsJson.Default.AdministeredBackup,
        ["zfs-server backup show"] = BackupCommandsJson.Default.ShownBackup,
        ["zfs-server catalogue check"] = CatalogueJson.Default.CheckReport,
        ["zfs-server catalogue rebuild"] = CatalogueJson.Default.RebuildReport,
        ["zfs-server storage probe"] = StorageCommandsJson.Default.ProbeResult,
        ["zfs-server audit"] = EventJson.Default.ServerEvent,
        ["zfs-server jobs list"] = JobCommandsJson.Default.ListedJob,
        ["zfs-server jobs show"] = JobCommandsJson.Default.ListedJob,
        ["zfs-server jobs run"] = JobCommandsJson.Default.ListedJob,
        ["zfs-server jobs cancel"] = JobCommandsJson.Default.ListedJob,
        ["zfs-server doctor"] = DiagnosisJson.Default.DiagnosisLine,
    };

    public static TheoryData<string> Commands => [.. Types.Keys];

    [Fact]
    public void The_tables_have_every_command() =>
        Assert.Equal(Types.Keys.Order(StringComparer.Ordinal), Tables.Commands.Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Commands))]
    public void The_fields_of_a_result_are_those_of_the_table(string command)
    {
        var row = Tables.Find(command);

        if (row.Fields is not null)
            Assert.Equal(
                Printed(Types[command]).Select(field => field.Name).Order(StringComparer.Ordinal),
                row.Fields.Order(StringComparer.Ordinal)
            );
        Assert.Empty(AllFields(Types[command], []).Except(row.Known, StringComparer.Ordinal));
    }

    /// <summary>JavaScript, jq and others read numbers beyond 2^53 as the nearest one that they have.</summary>
    [Theory]
    [MemberData(nameof(Commands))]
    public void No_result_has_a_number_of_64_bits(string command)
    {
        var types = new HashSet<Type>();
        AllFields(Types[command], types);

        Assert.DoesNotContain(types.SelectMany(type => Printed(Types[command].Options.GetTypeInfo(type))), field =>
            (Nullable.GetUnderlyingType(field.PropertyType) ?? field.PropertyType) == typeof(ulong)
            && field.NumberHandling != System.Text.Json.Serialization.JsonNumberHandling.WriteAsString
        );
    }

    [Fact]
    public void The_example_has_the_shape_that_is_printed()
    {
        var example = DocumentFiles.Read("docs/json.md").Split("```json\n")[1].Split("\n```")[0];
        using var document = JsonDocument.Parse(example);

        Assert.Equal(
            ["format_version", "success", "results", "failures", "warnings"],
            document.RootElement.EnumerateObject().Select(field => field.Name)
        );
        Assert.Equal(JsonReport.FormatVersion, document.RootElement.GetProperty("format_version").GetInt32());
    }

    private static IEnumerable<JsonPropertyInfo> Printed(JsonTypeInfo type) =>
        type.Properties.Where(property => property.Get is not null); // null: left out of JSON

    /// <summary>Names of fields at any depth.</summary>
    /// <param name="seen">Gets the types that have them.</param>
    private static IEnumerable<string> AllFields(JsonTypeInfo type, HashSet<Type> seen)
    {
        if (type.Kind != JsonTypeInfoKind.Object || !seen.Add(type.Type))
            return [];
        return
        [
            .. Printed(type)
                .SelectMany(field =>
                    AllFields(type.Options.GetTypeInfo(ElementOf(field.PropertyType)), seen).Prepend(field.Name)
                ),
        ];
    }

    /// <summary>What a list has, the values of a dictionary, or the type itself.</summary>
    private static Type ElementOf(Type type) =>
        type != typeof(string) && type.IsAssignableTo(typeof(IEnumerable)) ? type.GetGenericArguments()[^1] : type;
}
