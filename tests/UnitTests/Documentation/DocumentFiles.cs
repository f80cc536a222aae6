using System.Text.RegularExpressions;
using ZfsSnapshotManager.UnitTests.Architecture;

namespace ZfsSnapshotManager.UnitTests.Documentation;

/// <summary>The documents of the repository, and the sources that they are compared with.</summary>
internal static partial class DocumentFiles
{
    public static readonly string Root = Checkout.Root;

    public const int MatchTimeout = 10_000;

    /// <summary>Paths below <see cref="Root"/> of all documents.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        .. Directory
            .GetFiles(Root, "*.md")
            .Concat(
                ((string[])["docs", "src", "tests"]).SelectMany(directory =>
                    Directory.GetFiles(Path.Combine(Root, directory), "*.md", SearchOption.AllDirectories)
                )
            )
            .Select(path => Path.GetRelativePath(Root, path))
            .Order(StringComparer.Ordinal),
    ];

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    /// <summary>Full paths of all C# files below a directory.</summary>
    public static string[] Sources(string directory) =>
        Directory.GetFiles(Path.Combine(Root, directory), "*.cs", SearchOption.AllDirectories);

    /// <summary>A document without its code blocks.</summary>
    public static string WithoutCode(string markdown) => CodeBlockPattern().Replace(markdown, "");

    [GeneratedRegex("```.*?```", RegexOptions.ExplicitCapture | RegexOptions.Singleline, MatchTimeout)]
    private static partial Regex CodeBlockPattern();
}
