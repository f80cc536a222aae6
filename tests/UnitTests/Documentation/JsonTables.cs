using System.Text.RegularExpressions;

namespace ZfsSnapshotManager.UnitTests.Documentation;

/// <summary>The tables of docs/json.md: which fields the results of each command have.</summary>
internal sealed partial class JsonTables
{
    private readonly string _documents;
    private readonly Dictionary<string, JsonTableRow> _rows = new(StringComparer.Ordinal);

    /// <param name="root">The checkout.</param>
    public JsonTables(string root)
    {
        _documents = Path.Combine(root, "docs");
        foreach (var program in (string[])["zfs-client", "zfs-restore", "zfs-server"])
        foreach (var line in SectionOf("json.md", program).Split('\n'))
            if (line.StartsWith("| `", StringComparison.Ordinal))
                Read(program, line);
    }

    /// <summary>Every command with its program, such as <c>zfs-server client add</c>.</summary>
    public IReadOnlyCollection<string> Commands => _rows.Keys;

    public JsonTableRow Find(string command) =>
        _rows.TryGetValue(command, out var row)
            ? row
            : throw new KeyNotFoundException($"docs/json.md has no row for '{command}'.");

    private void Read(string program, string line)
    {
        var cells = line.Split(" | ");
        string[] names = [.. Code().Matches(cells[0]).Select(name => name.Groups["text"].Value)];
        var group = names[0].Contains(' ', StringComparison.Ordinal) ? $"{names[0].Split(' ')[0]} " : "";
        var known = FieldsIn(cells[2])
            .Concat(Link().Matches(cells[2]).SelectMany(link => FieldsBehind(link, isOfRow: true)))
            .ToHashSet(StringComparer.Ordinal);
        string[] own = [.. FieldsIn(Parentheses().Replace(cells[2], ""))];
        var isElsewhere = cells[2].StartsWith("as in ", StringComparison.Ordinal);
        foreach (var name in names.Where(name => !name.StartsWith("--", StringComparison.Ordinal)))
        {
            var full = name.Contains(' ', StringComparison.Ordinal) ? name : group + name;
            _rows[$"{program} {full}"] = new JsonTableRow(isElsewhere ? null : own, known);
        }
    }

    /// <summary>A section that is referred to, and for one of this document those that it refers to.</summary>
    private IEnumerable<string> FieldsBehind(Match link, bool isOfRow)
    {
        var file = link.Groups["file"].Value;
        var isHere = file.Length == 0;
        if (isHere && !isOfRow)
            return [];
        var section = SectionOf(isHere ? "json.md" : file, link.Groups["anchor"].Value);
        IEnumerable<Match> links = isHere ? Link().Matches(section) : [];
        return FieldsIn(section).Concat(links.SelectMany(other => FieldsBehind(other, isOfRow: false)));
    }

    /// <summary>The text between a heading and the next one.</summary>
    private string SectionOf(string file, string anchor)
    {
        var sections = CodeBlock().Replace(File.ReadAllText(Path.Combine(_documents, file)), "").Split("\n## ");
        return sections.Single(section => AnchorOf(section.Split('\n')[0]) == anchor);
    }

    private static string AnchorOf(string heading) =>
        string.Concat(heading.ToLowerInvariant().Where(c => char.IsAsciiLetterOrDigit(c) || c is ' ' or '-'))
            .Replace(' ', '-');

    private static IEnumerable<string> FieldsIn(string text) =>
        Code().Matches(text).Select(code => code.Groups["text"].Value).Where(text => Field().IsMatch(text));

    [GeneratedRegex(
        "```.*?```",
        RegexOptions.ExplicitCapture | RegexOptions.Singleline,
        matchTimeoutMilliseconds: 5_000
    )]
    private static partial Regex CodeBlock();

    [GeneratedRegex("`(?<text>[^`]+)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5_000)]
    private static partial Regex Code();

    [GeneratedRegex("^[a-z_0-9]+$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5_000)]
    private static partial Regex Field();

    [GeneratedRegex(
        @"\]\((?<file>[a-z-]*(\.md)?)#(?<anchor>[a-z-]+)\)",
        RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 5_000
    )]
    private static partial Regex Link();

    [GeneratedRegex(@"\([^()]*(\([^()]*\)[^()]*)*\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5_000)]
    private static partial Regex Parentheses();
}

/// <param name="Fields">The fields of a result; null: they are listed elsewhere.</param>
/// <param name="Known">Names that may occur at any depth of it: of the row, and of the sections it refers to.</param>
internal sealed record JsonTableRow(IReadOnlyList<string>? Fields, IReadOnlySet<string> Known);
