namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>Where this checkout's scripts and published programs are.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    public static string Program(string name)
    {
        var path = Path.Combine(Root, "artifacts", "bin", name);
        return File.Exists(path)
            ? path
            : throw new FileNotFoundException(
                $"{path} is not there: run ./publish first, or run the tests with ./test."
            );
    }

    /// <summary>The stand-in for <c>zfs</c>, which is called like it.</summary>
    public static string StandIn
    {
        get
        {
            var path = Path.Combine(Root, "artifacts", "stand-in", "zfs");
            return File.Exists(path)
                ? path
                : throw new FileNotFoundException(
                    $"{path} does not exist: run './publish --stand-in' first, or run the tests with ./test."
                );
        }
    }

    /// <summary>A new empty folder of this run, named in the test's log.</summary>
    public static string NewFolder(string purpose)
    {
        var path = Path.Combine(Root, "artifacts", "test", "work", $"{purpose}-{Guid.NewGuid().ToString("N")[..8]}");
        Directory.CreateDirectory(path);
        TestLog.Write($"directory: {Path.GetRelativePath(Root, path)}");
        return path;
    }

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "ZfsSnapshotManager.slnx")))
            folder = Path.GetDirectoryName(folder)
                ?? throw new DirectoryNotFoundException("The tests do not run inside a checkout.");
        return folder;
    }
}
