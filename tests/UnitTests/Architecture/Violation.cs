using Microsoft.CodeAnalysis;

namespace ZfsSnapshotManager.UnitTests.Architecture;

/// <summary>A place in the source that breaks a rule, and which rule.</summary>
internal sealed record Violation(string File, int Line, string Rule)
{
    public static Violation At(SyntaxNode node, string rule) =>
        new(node.SyntaxTree.FilePath, node.GetLocation().GetLineSpan().StartLinePosition.Line + 1, rule);

    /// <summary>Fails with all violations, each with its file and line, and with what to do about them.</summary>
    public static void AssertNone(IEnumerable<Violation> found, string remedy)
    {
        Violation[] all = [.. found.OrderBy(one => one.File, StringComparer.Ordinal).ThenBy(one => one.Line)];
        Assert.True(all.Length == 0, $"{remedy}\n{string.Join('\n', all.AsEnumerable())}");
    }

    public override string ToString() => $"{File}:{Line}: {Rule}";
}
