using System.Text.RegularExpressions;

namespace ZfsSnapshotManager.UnitTests.Documentation;

/// <summary>Documents and messages have one width and plain technical English.</summary>
public sealed partial class DocumentStyleTests
{
    private const int Width = 120;

    /// <summary>
    /// What documents and messages do not say, as regular expressions, and what they say instead.
    /// </summary>
    private static readonly (Regex Not, string But)[] Words =
    [
        .. (
            ((string Not, string But)[])
                [
                    (@"\b(go|goes|going|went|gone)\s+on\b", "resume, continue"),
                    (@"\bmend(s|ed|ing)?\b", "fix"),
                    (@"\bwhole\s+(and|or)\s+(not\s+)?right\b", "complete and valid"),
                    (@"\bthere\s+(is|are|was|were)\b|\b(is|are)\s+there\b", "exists"),
                    (@"(?<!snapshots?\b[^.|]{0,40})\b(is|are)\s+taken\b", "is accepted"),
                    (@"\b(backup|snapshot|bookmark|dataset|one)s?\s+goes?\b", "is deleted"),
                    (@"\bfolders?\b", "directory"),
                    (@"\bupon\b", "on"),
                    (@"\b(is|are)\s+not\s+in\s+yet\b", "not yet implemented"),
                    (@"\bwas\s+taken\s+over\b", "compromised"),
                    (@"\bmakes?\s+away\b", "delete"),
                    (@"\bof\s+no\s+use\b", "no longer needed"),
                    (@"(?<=^|[.:;|]\s+|\n)(?-i:Else)\b", "Otherwise"),
                    (@"\bso\s+that\s+it\s+cannot\b", "to prevent it from"),
                    (@"\bfor\s+who\b", "for callers that"),
                    (@"\bThe\s+house\b", "Layers"),
                    (@"\bThe\s+data's\s+way\b", "Data flow"),
                    (@"\bShowing\s+the\s+key\b", "Authentication"),
                    (@"\bcheck\s+sums?\b", "checksum"),
                    (@"\bfor\s+people\b", "human-readable"),
                    (@"\bbelongs?\s+into\b", "belongs in"),
                    (@"\bhas\s+not\s+the\b", "does not have the"),
                    (@"\bsays\s+what\s+is\s+wrong\b", "returns the fault"),
                ]
        ).Select(word =>
            (
                new Regex(word.Not, RegexOptions.IgnoreCase, TimeSpan.FromMilliseconds(DocumentFiles.MatchTimeout)),
                word.But
            )
        ),
    ];

    [Fact]
    public void Documents_are_wrapped_at_one_width()
    {
        var tooLong = DocumentFiles.All.SelectMany(document =>
            LinesOfText(document)
                .Where(line =>
                    line.Text.Length > Width && line.Text.TrimStart().Contains(' ', StringComparison.Ordinal)
                )
                .Select(line => $"{document}:{line.Number}: {line.Text.Length}")
        );
        AssertNone(tooLong);
    }

    [Fact]
    public void Documents_are_in_plain_technical_English() =>
        AssertNone(DocumentFiles.All.SelectMany(document => Find(document, DocumentFiles.Read(document))));

    /// <summary>Texts in the sources: messages, remedies, help, log lines. Comments are not checked.</summary>
    [Fact]
    public void Messages_are_in_plain_technical_English() =>
        AssertNone(
            DocumentFiles
                .Sources("src")
                .Select(file => Path.GetRelativePath(DocumentFiles.Root, file))
                .SelectMany(file => Find(file, TextsOf(DocumentFiles.Read(file))))
        );

    /// <summary>String literals of one line each; everything else of the source is left empty.</summary>
    private static string TextsOf(string source) =>
        string.Join(
            '\n',
            source
                .Split('\n')
                .Select(line =>
                    line.TrimStart().StartsWith("//", StringComparison.Ordinal)
                        ? ""
                        : string.Join(' ', LiteralPattern().Matches(line).Select(match => match.Value))
                )
        );

    private static void AssertNone(IEnumerable<string> faults)
    {
        List<string> found = [.. faults];
        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    private static IEnumerable<string> Find(string file, string text) =>
        Words.SelectMany(word =>
            word.Not.Matches(text)
                .Select(match =>
                    $"{file}:{text[..match.Index].Count(c => c == '\n') + 1}: '{match.Value}', better: {word.But}"
                )
        );

    /// <summary>Lines that can be wrapped: no code blocks, no tables.</summary>
    private static IEnumerable<(int Number, string Text)> LinesOfText(string document)
    {
        var inCode = false;
        foreach (var (number, text) in DocumentFiles.Read(document).Split('\n').Index())
        {
            if (text.TrimStart().StartsWith("```", StringComparison.Ordinal))
                inCode = !inCode;
            else if (!inCode && !text.TrimStart().StartsWith('|'))
                yield return (number + 1, text);
        }
    }

    [GeneratedRegex("\"([^\"\\\\\\n]|\\\\.)*\"", RegexOptions.ExplicitCapture, DocumentFiles.MatchTimeout)]
    private static partial Regex LiteralPattern();
}
