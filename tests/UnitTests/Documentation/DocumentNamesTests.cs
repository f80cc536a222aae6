using System.Text.RegularExpressions;

namespace ZfsSnapshotManager.UnitTests.Documentation;

/// <summary>Types, members and files that documents name exist in the sources.</summary>
public sealed partial class DocumentNamesTests
{
    /// <summary>Types of .NET.</summary>
    private static readonly HashSet<string> NotOfTheSources = new(StringComparer.Ordinal) { "Stream", "TimeProvider" };

    [Theory]
    [InlineData("docs/overview.md")]
    [InlineData("docs/architecture.md")]
    [InlineData("CONTRIBUTING.md")]
    public void Every_type_directory_and_member_that_is_named_exists(string document)
    {
        var directories = Directory
            .GetDirectories(Path.Combine(DocumentFiles.Root, "src"), "*", SearchOption.AllDirectories)
            .Select(path => Path.GetFileName(path))
            .ToHashSet(StringComparer.Ordinal);
        var sources = DocumentFiles.Sources("src").Select(File.ReadAllText).ToList();
        var named = TypePattern().Matches(DocumentFiles.WithoutCode(DocumentFiles.Read(document)));
        Assert.NotEmpty(named);
        var missing = named
            .Select(match => (Type: match.Groups["type"].Value, Member: match.Groups["member"].Value))
            .Where(name => !NotOfTheSources.Contains(name.Type) && !directories.Contains(name.Type))
            .Where(name => !sources.Any(source => Declares(source, name.Type, name.Member)))
            .Select(name => $"{name.Type}.{name.Member}");
        Assert.Empty(missing);
    }

    [Fact]
    public void Every_class_of_tests_that_is_named_exists()
    {
        var tests = DocumentFiles.Sources("tests").Select(File.ReadAllText).ToList();
        var named = TestClassPattern()
            .Matches(DocumentFiles.Read("docs/testing.md"))
            .Select(match => match.Groups["name"].Value)
            .ToHashSet(StringComparer.Ordinal);
        Assert.NotEmpty(named);
        Assert.DoesNotContain(named, name => !tests.Any(source => Declares(source, name, member: "")));
    }

    [Fact]
    public void Every_path_that_a_document_names_exists()
    {
        var missing = DocumentFiles.All.SelectMany(document =>
            PathPattern()
                .Matches(DocumentFiles.WithoutCode(DocumentFiles.Read(document)))
                .Select(match => match.Groups["path"].Value)
                .Where(path => !Path.Exists(Path.Combine(DocumentFiles.Root, path)))
                .Select(path => $"{document}: {path}")
        );
        Assert.Empty(missing);
    }

    [Fact]
    public void Every_document_that_the_sources_name_exists()
    {
        var missing = ((string[])["src", "tests", "benchmarks"])
            .SelectMany(DocumentFiles.Sources)
            .SelectMany(file =>
                DocumentPattern()
                    .Matches(File.ReadAllText(file))
                    .Select(match => match.Groups["path"].Value)
                    .Where(path => !File.Exists(Path.Combine(DocumentFiles.Root, path)))
                    .Select(path => $"{Path.GetRelativePath(DocumentFiles.Root, file)}: {path}")
            );
        Assert.Empty(missing);
    }

    /// <summary>
    /// The pieces between what a message fills in: <c>…</c>, or a name in capitals that stands for a dataset.
    /// </summary>
    [Fact]
    public void Every_message_in_troubleshooting_is_in_the_sources()
    {
        var texts = TextsOfTheSources();
        var missing = SymptomPattern()
            .Matches(DocumentFiles.Read("docs/troubleshooting.md"))
            .SelectMany(row => CodePattern().Matches(row.Groups["symptom"].Value))
            .SelectMany(code => FilledInPattern().Split(code.Groups["text"].Value))
            .Select(piece => piece.Trim())
            .Where(piece => !texts.Contains(piece, StringComparison.Ordinal));
        Assert.Empty(missing);
    }

    [Fact]
    public void Every_message_in_an_example_of_the_API_is_in_the_sources()
    {
        var texts = TextsOfTheSources();
        var messages = MessagePattern().Matches(DocumentFiles.Read("docs/http-api.md"));
        Assert.NotEmpty(messages);
        var missing = messages
            .SelectMany(match => ValuePattern().Split(match.Groups["text"].Value))
            .Select(piece => piece.Trim(' ', '.'))
            .Where(piece => !texts.Contains(piece, StringComparison.Ordinal));
        Assert.Empty(missing);
    }

    [Fact]
    public void Every_command_and_option_is_in_the_reference()
    {
        var reference = DocumentFiles.Read("docs/commands.md");
        var names = ((string[])["src/Client", "src/Restore", "src/Server"])
            .SelectMany(DocumentFiles.Sources)
            .Where(file => file.Contains("/Commands/", StringComparison.Ordinal))
            .SelectMany(file => CommandPattern().Matches(File.ReadAllText(file)))
            .Select(match => match.Groups["name"].Value)
            .ToHashSet(StringComparer.Ordinal);
        Assert.Contains("--dry-run", names);
        Assert.Contains("rebuild", names);
        Assert.DoesNotContain(names, name => !Matches(reference, $@"(?<![\w-]){name}(?![\w-])"));
        var options = OptionPattern().Matches(reference).Select(match => match.Value);
        Assert.Empty(options.Except(names).Except(["--help", "--json", "--keep-hourly", "--quiet"]));
    }

    /// <summary>The sources with what is concatenated joined, and <c>…</c> for what is filled in.</summary>
    private static string TextsOfTheSources() =>
        PlaceholderPattern()
            .Replace(
                ConcatenationPattern()
                    .Replace(string.Join('\n', DocumentFiles.Sources("src").Select(File.ReadAllText)), ""),
                "…"
            );

    /// <summary>Whether a file declares a type, and, if a member is named, has that member's name, too.</summary>
    private static bool Declares(string source, string type, string member) =>
        Matches(source, $@"\b(class|interface|record|record struct|struct|enum) {type}\b")
        && (member.Length == 0 || Matches(source, $@"\b{member}\b"));

    private static bool Matches(string text, string pattern) =>
        Regex.IsMatch(
            text,
            pattern,
            RegexOptions.ExplicitCapture,
            TimeSpan.FromMilliseconds(DocumentFiles.MatchTimeout)
        );

    /// <summary>In backticks: an upper-case letter, later a lower-case one; perhaps a member. Not DATASET.</summary>
    [GeneratedRegex(
        @"`(?<type>[A-Z]\w*[a-z]\w*)(\.(?<member>[A-Z]\w*))?`",
        RegexOptions.ExplicitCapture,
        DocumentFiles.MatchTimeout
    )]
    private static partial Regex TypePattern();

    [GeneratedRegex(@"`(?<name>[A-Z]\w+Tests)`", RegexOptions.ExplicitCapture, DocumentFiles.MatchTimeout)]
    private static partial Regex TestClassPattern();

    [GeneratedRegex(
        @"`(?<path>(src|tests|tools|docs|benchmarks)/[\w./-]*\w)`",
        RegexOptions.ExplicitCapture,
        DocumentFiles.MatchTimeout
    )]
    private static partial Regex PathPattern();

    [GeneratedRegex(
        @"^\| (?<symptom>[^|]+) \|",
        RegexOptions.ExplicitCapture | RegexOptions.Multiline,
        DocumentFiles.MatchTimeout
    )]
    private static partial Regex SymptomPattern();

    [GeneratedRegex(
        @"""(message|reason|remedy)"":""(?<text>[^""]+)""",
        RegexOptions.ExplicitCapture,
        DocumentFiles.MatchTimeout
    )]
    private static partial Regex MessagePattern();

    /// <summary>Numbers with their unit, and what follows a field's name.</summary>
    [GeneratedRegex(@"\d[\d.]*( kB)?|: ", RegexOptions.ExplicitCapture, DocumentFiles.MatchTimeout)]
    private static partial Regex ValuePattern();

    [GeneratedRegex(
        @"new CommandWithExamples\(\s*""(?<name>[a-z-]+)""|""(?<name>--[a-z-]+)""",
        RegexOptions.ExplicitCapture,
        DocumentFiles.MatchTimeout
    )]
    private static partial Regex CommandPattern();

    [GeneratedRegex(@"(?<![\w-])--[a-z]+(-[a-z]+)*", RegexOptions.ExplicitCapture, DocumentFiles.MatchTimeout)]
    private static partial Regex OptionPattern();

    [GeneratedRegex("`(?<text>[^`]+)`", RegexOptions.ExplicitCapture, DocumentFiles.MatchTimeout)]
    private static partial Regex CodePattern();

    [GeneratedRegex(@"…|\bDATASET(\.\w+)?\b", RegexOptions.ExplicitCapture, DocumentFiles.MatchTimeout)]
    private static partial Regex FilledInPattern();

    [GeneratedRegex(@"""\s*\+\s*\$?""", RegexOptions.ExplicitCapture, DocumentFiles.MatchTimeout)]
    private static partial Regex ConcatenationPattern();

    [GeneratedRegex(@"\{[^{}""\n]*\}", RegexOptions.ExplicitCapture, DocumentFiles.MatchTimeout)]
    private static partial Regex PlaceholderPattern();

    [GeneratedRegex(@"\b(?<path>docs/[\w/-]+\.md)\b", RegexOptions.ExplicitCapture, DocumentFiles.MatchTimeout)]
    private static partial Regex DocumentPattern();
}
