namespace ZfsSnapshotManager.Core.Configuration;

/// <summary>
/// A file of <c>NAME=value</c> lines. Its syntax is what systemd (EnvironmentFile), shells and other programs read in
/// the same way: no values over several lines, no expansion.
/// </summary>
/// <param name="Lines">The lines that set something, in their order; a name may appear twice.</param>
/// <param name="Faults">The lines that are not understood; each names its line.</param>
internal sealed record EnvFile(IReadOnlyList<EnvLine> Lines, IReadOnlyList<string> Faults)
{
    private const string Export = "export";

    public static EnvFile Parse(string text)
    {
        List<EnvLine> lines = [];
        List<string> faults = [];
        foreach (var (index, line) in text.Split('\n').Index())
        {
            var trimmed = line.Trim();
            if (trimmed.Length == 0 || trimmed[0] is '#' or ';')
                continue;
            try
            {
                lines.Add(ParseLine(index + 1, trimmed));
            }
            catch (FormatException e)
            {
                faults.Add($"line {index + 1} {e.Message}");
            }
        }

        return new EnvFile(lines, faults);
    }

    /// <exception cref="FormatException">The message continues "line N …".</exception>
    private static EnvLine ParseLine(int number, string line)
    {
        if (line.StartsWith(Export, StringComparison.Ordinal) && line.Length > Export.Length)
        {
            if (char.IsWhiteSpace(line[Export.Length]))
                line = line[Export.Length..].TrimStart();
        }

        var equals = line.IndexOf('=', StringComparison.Ordinal);
        var name = equals < 0 ? "" : line[..equals].TrimEnd();
        if (name.Length == 0 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.'))
            throw new FormatException("is not NAME=value");
        return new EnvLine(number, name, ParseValue(name, line[(equals + 1)..].Trim()));
    }

    private static string ParseValue(string name, string text)
    {
        if (text.Length == 0 || text[0] is not ('"' or '\''))
            return WithoutComment(text);
        var end = FindClosingQuote(text);
        if (end < 0)
            throw new FormatException($"has no closing quote for {name}; a value cannot continue on the next line");
        var after = text[(end + 1)..];
        if (after.Length > 0 && !IsComment(after))
            throw new FormatException($"has text after the closing quote of {name}");
        var value = text[1..end];
        return text[0] == '"' ? Unescape(value) : value;
    }

    private static bool IsComment(string text) => char.IsWhiteSpace(text[0]) && text.TrimStart()[0] == '#';

    private static string WithoutComment(string text)
    {
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] == '#' && char.IsWhiteSpace(text[i - 1]))
                return text[..i].TrimEnd();
        }

        return text.StartsWith('#') ? "" : text;
    }

    /// <returns>-1 if there is none.</returns>
    private static int FindClosingQuote(string text)
    {
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] == text[0])
                return i;
            if (text[i] == '\\' && text[0] == '"')
                i++;
        }

        return -1;
    }

    /// <summary>Within double quotes, as for shells and systemd: a backslash before one of these characters.</summary>
    private static string Unescape(string text)
    {
        var result = new System.Text.StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 1 < text.Length && text[i + 1] is '"' or '\\' or '$' or '`')
                i++;
            result.Append(text[i]);
        }

        return result.ToString();
    }
}

/// <param name="Number">From 1.</param>
/// <param name="Name">As written.</param>
/// <param name="Value">Without quotes.</param>
internal sealed record EnvLine(int Number, string Name, string Value);
