namespace ZfsSnapshotManager.UnitTests.Server;

/// <summary>A temporary directory, removed after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public TemporaryFolder() => Path = Directory.CreateTempSubdirectory("zsm-test-").FullName;

    /// <param name="parent">Where it is created.</param>
    public TemporaryFolder(string parent)
    {
        Path = System.IO.Path.Combine(parent, $"zsm-test-{Guid.NewGuid():N}");
        Directory.CreateDirectory(Path);
    }

    public string Path { get; }

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
