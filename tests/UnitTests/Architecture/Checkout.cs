namespace ZfsSnapshotManager.UnitTests.Architecture;

/// <summary>The checkout that the tests run in: its files, by their paths below its root.</summary>
internal static class Checkout
{
    public static string Root { get; } = FindRoot();

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    /// <summary>All files of these directories with this ending, by path. What is built lies elsewhere.</summary>
    public static IReadOnlyList<string> Files(string pattern, params string[] directories) =>
        [
            .. directories
                .SelectMany(directory =>
                    Directory.GetFiles(Path.Combine(Root, directory), pattern, SearchOption.AllDirectories)
                )
                .Select(file => Path.GetRelativePath(Root, file))
                .Order(StringComparer.Ordinal),
        ];

    private static string FindRoot()
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "ZfsSnapshotManager.slnx")))
            directory = Path.GetDirectoryName(directory)
                ?? throw new DirectoryNotFoundException("The tests do not run inside a checkout.");
        return directory;
    }
}
