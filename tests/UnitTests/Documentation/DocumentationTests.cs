using System.Text.Json;
using System.Text.RegularExpressions;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Configuration;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.UnitTests.Documentation;

/// <summary>The documents list what the source has: compared as text, so neither can change alone.</summary>
public sealed partial class DocumentationTests
{
    [Fact]
    public void Every_setting_that_is_read_is_documented_and_no_other()
    {
        var read = DocumentFiles.Sources("src").SelectMany(file => Names(SettingPattern(), File.ReadAllText(file)));
        var documented = Names(SettingRowPattern(), DocumentFiles.Read("docs/configuration.md"));
        AssertSame(read, documented);
    }

    [Fact]
    public void Every_program_knows_the_settings_of_its_table_and_no_other()
    {
        AssertSame(ServerSettings.Program.Names, TableOf("## zfs-server"));
        AssertSame(ProgramSettings.Client.Names, TableOf("## zfs-client and zfs-restore"));

        static IEnumerable<string> TableOf(string heading) =>
            Names(SettingRowPattern(), Section("docs/configuration.md", heading));
    }

    [Theory]
    [InlineData("clients.json", "## clients.json", "src/Server/Clients/ClientEntry.cs", "ClientEntry")]
    [InlineData("a manifest", "## The manifest", "src/Core/Manifests/Manifest.cs", "Manifest")]
    public void The_table_of_fields_is_that_of(string what, string heading, string source, string record)
    {
        var document = what == "clients.json" ? "docs/configuration.md" : "docs/storage-format.md";
        AssertSame(Properties(source, record), Names(FieldRowPattern(), Section(document, heading)));
    }

    [Theory]
    [InlineData(
        "docs/storage-format.md",
        "## The manifest",
        "src/Core/Manifests/Manifest.cs",
        "Manifest",
        "objects",
        "src/Core/Manifests/Manifest.cs",
        "StoredObject",
        "parts" // which pass one by one
    )]
    [InlineData(
        "docs/configuration.md",
        "## clients.json",
        "src/Server/Clients/ClientEntry.cs",
        "ClientEntry",
        "rotation_policy",
        "src/Core/Api/RotationPolicy.cs",
        "RotationPolicy",
        null
    )]
    public void The_example_has_the_fields_of_the_source(
        string document,
        string heading,
        string source,
        string record,
        string part,
        string partSource,
        string partRecord,
        string? more
    )
    {
        using var example = JsonDocument.Parse(
            JsonBlockPattern().Match(Section(document, heading)).Groups["json"].Value
        );
        var whole = First(example.RootElement);
        AssertSame(Properties(source, record), FieldsOf(whole));
        var fields = Properties(partSource, partRecord);
        AssertSame(more is null ? fields : [.. fields, more], FieldsOf(First(whole.GetProperty(part))));
    }

    [Fact]
    public void The_properties_that_decide_how_a_dataset_behaves_are_documented_with_what_they_decide()
    {
        var table = DocumentFiles.Read("docs/storage-format.md");

        Assert.All(BehaviourProperty.All.Values, property =>
            Assert.Contains(
                $"| `{property.Name}` | {property.Effect} | {$"{property.Kind}".ToLowerInvariant()} |",
                table,
                StringComparison.Ordinal
            )
        );
    }

    [Fact]
    public void Every_error_code_is_documented_and_no_other()
    {
        var given = DocumentFiles
            .Sources("src/Server")
            .SelectMany(file => Names(ErrorCodePattern(), File.ReadAllText(file)));
        var documented = Names(FieldRowPattern(), Section("docs/http-api.md", "## Errors"));
        AssertSame(given, documented);
    }

    [Fact]
    public void Every_endpoint_is_documented_and_no_other()
    {
        var mapped = DocumentFiles
            .Sources("src/Server")
            .SelectMany(file => EndpointPattern().Matches(File.ReadAllText(file)))
            .Select(match => $"{match.Groups["method"].Value.ToUpperInvariant()} {match.Groups["path"].Value}");
        AssertSame(mapped, Names(EndpointRowPattern(), DocumentFiles.Read("docs/http-api.md")));
    }

    [Fact]
    public void Every_exit_code_is_documented_and_no_other()
    {
        var codes = Enum.GetValues<ExitCode>()
            .Select(code =>
                $"{(int)code} "
                + $"{(code == ExitCode.Success ? "" : JsonNamingPolicy.SnakeCaseLower.ConvertName(code.ToString()))}"
            );
        AssertSame(
            codes,
            NumberRowPattern()
                .Matches(Section("docs/exit-codes.md", "## Table"))
                .Select(row => $"{row.Groups["name"].Value} {row.Groups["word"].Value}")
        );
    }

    [Fact]
    public void Every_link_has_a_target()
    {
        var broken = DocumentFiles.All.SelectMany(document =>
            LinkPattern()
                .Matches(DocumentFiles.WithoutCode(DocumentFiles.Read(document)))
                .Select(match => match.Groups["target"].Value)
                .Where(target => !LeadsSomewhere(Path.Combine(DocumentFiles.Root, document), target))
                .Select(target => $"{document}: {target}")
        );
        Assert.Empty(broken);
    }

    [Fact]
    public void Every_record_of_a_decision_is_in_their_list()
    {
        var list = DocumentFiles.Read("docs/decisions/README.md");
        foreach (var record in Directory.GetFiles(Path.Combine(DocumentFiles.Root, "docs/decisions"), "0*.md"))
            Assert.Contains($"({Path.GetFileName(record)})", list, StringComparison.Ordinal);
    }

    /// <summary>From a heading to the next one of its level.</summary>
    private static string Section(string document, string heading)
    {
        var text = DocumentFiles.Read(document);
        var start = text.IndexOf($"\n{heading}\n", StringComparison.Ordinal);
        Assert.True(start >= 0, $"{document} has no heading '{heading}'");
        var end = text.IndexOf("\n## ", start + 1, StringComparison.Ordinal);
        return end < 0 ? text[start..] : text[start..end];
    }

    private static IEnumerable<string> Names(Regex pattern, string text) =>
        pattern.Matches(text).Select(match => match.Groups["name"].Value);

    /// <summary>Public properties of a record, as JSON names them.</summary>
    private static IEnumerable<string> Properties(string source, string record)
    {
        var text = DocumentFiles.Read(source);
        var start = text.IndexOf($"record {record}\n", StringComparison.Ordinal);
        Assert.True(start >= 0, $"{source} has no record {record}");
        var end = text.IndexOf("\n}\n", start, StringComparison.Ordinal);
        return Names(PropertyPattern(), text[start..end]).Select(JsonNamingPolicy.SnakeCaseLower.ConvertName);
    }

    private static IEnumerable<string> FieldsOf(JsonElement element) =>
        element.EnumerateObject().Select(field => field.Name);

    private static JsonElement First(JsonElement element) =>
        element.ValueKind == JsonValueKind.Array ? element[0] : element;

    private static void AssertSame(IEnumerable<string> source, IEnumerable<string> documented)
    {
        string[] expected = [.. source.Distinct().Order(StringComparer.Ordinal)];
        Assert.NotEmpty(expected);
        Assert.Equal(expected, documented.Distinct().Order(StringComparer.Ordinal));
    }

    private static bool LeadsSomewhere(string document, string target)
    {
        if (target.Contains("://", StringComparison.Ordinal))
            return true;
        var parts = target.Split('#', 2);
        var path = parts[0].Length == 0 ? document : Path.Combine(Path.GetDirectoryName(document)!, parts[0]);
        if (!Path.Exists(path))
            return false;
        return parts.Length == 1
            || DocumentFiles
                .WithoutCode(File.ReadAllText(path))
                .Split('\n')
                .Any(line => line.StartsWith('#') && Anchor(line) == parts[1]);
    }

    /// <summary>The anchor that a heading gets: lower case, blanks as hyphens, other marks left out.</summary>
    private static string Anchor(string heading) =>
        string.Concat(
                heading
                    .TrimStart('#')
                    .Trim()
                    .ToLowerInvariant()
                    .Where(c => char.IsLetterOrDigit(c) || c is ' ' or '-' or '_')
            )
            .Replace(' ', '-');

    [GeneratedRegex(
        """
            \bsettings\s*\.(Text|Required|RequiredSecret|Optional|OptionalValue|Flag|Number|Address)(<\w+>)?
            \(\s*"(?<name>[A-Z0-9_]+)
            """,
        RegexOptions.ExplicitCapture | RegexOptions.IgnorePatternWhitespace,
        DocumentFiles.MatchTimeout
    )]
    private static partial Regex SettingPattern();

    [GeneratedRegex(
        @"^\| `(?<name>[A-Z0-9_]+)` \|",
        RegexOptions.ExplicitCapture | RegexOptions.Multiline,
        DocumentFiles.MatchTimeout
    )]
    private static partial Regex SettingRowPattern();

    [GeneratedRegex(
        @"^\| `(?<name>[a-z0-9_]+)` \|",
        RegexOptions.ExplicitCapture | RegexOptions.Multiline,
        DocumentFiles.MatchTimeout
    )]
    private static partial Regex FieldRowPattern();

    [GeneratedRegex(
        @"^\| `(?<name>(GET|POST|PUT|DELETE) [^`]+)` \|",
        RegexOptions.ExplicitCapture | RegexOptions.Multiline,
        DocumentFiles.MatchTimeout
    )]
    private static partial Regex EndpointRowPattern();

    [GeneratedRegex(
        @"^\| (?<name>\d+) \| (`(?<word>\w+)` )?\|",
        RegexOptions.ExplicitCapture | RegexOptions.Multiline,
        DocumentFiles.MatchTimeout
    )]
    private static partial Regex NumberRowPattern();

    [GeneratedRegex(
        """\bMap(?<method>Get|Post|Put|Delete)\("(?<path>[^"]+)""",
        RegexOptions.ExplicitCapture,
        DocumentFiles.MatchTimeout
    )]
    private static partial Regex EndpointPattern();

    /// <summary>
    /// A status and a code, a code given to one of RequestException's makers, or a code set in an error itself.
    /// </summary>
    [GeneratedRegex(
        """(StatusCodes\.\w+,\s*|\b(Conflict|Damaged)\(\s*|\bCode = )"(?<name>[a-z_]+)""",
        RegexOptions.ExplicitCapture,
        DocumentFiles.MatchTimeout
    )]
    private static partial Regex ErrorCodePattern();

    [GeneratedRegex(
        @"^    public (required )?[\w<>?]+(, [\w<>?]+)* (?<name>\w+) \{ get; (init|set); \}",
        RegexOptions.ExplicitCapture | RegexOptions.Multiline,
        DocumentFiles.MatchTimeout
    )]
    private static partial Regex PropertyPattern();

    [GeneratedRegex(
        "```json\n(?<json>.*?)```",
        RegexOptions.ExplicitCapture | RegexOptions.Singleline,
        DocumentFiles.MatchTimeout
    )]
    private static partial Regex JsonBlockPattern();

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)", RegexOptions.ExplicitCapture, DocumentFiles.MatchTimeout)]
    private static partial Regex LinkPattern();
}
