using System.Collections.Concurrent;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// Libraries that programs are started with (<c>LD_PRELOAD</c>), compiled once per run with the compiler that is there.
/// </summary>
internal static class PreloadedLibrary
{
    private static readonly ConcurrentDictionary<string, Lazy<Task<string>>> Compiled = new(StringComparer.Ordinal);

    /// <param name="source">Below <c>tests/SystemTests</c>: <c>Crashes/crash_at.c</c>.</param>
    /// <returns>Where the library is.</returns>
    public static Task<string> CompileAsync(string source) =>
        Compiled.GetOrAdd(source, _ => new Lazy<Task<string>>(() => RunCompilerAsync(source))).Value;

    private static async Task<string> RunCompilerAsync(string source)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Repository.Root, "artifacts", "test")).FullName;
        var name = Path.GetFileNameWithoutExtension(source);
        var library = Path.Combine(folder, $"{name}-{Environment.ProcessId}.so");
        string[] arguments =
        [
            "-O1",
            "-Wall",
            "-Werror",
            "-shared",
            "-fPIC",
            "-o",
            library,
            Path.Combine(Repository.Root, "tests", "SystemTests", source),
            "-lpthread",
            "-ldl",
        ];
        (await Command.RunAsync(FindCompiler(), arguments)).MustSucceed();
        var final = Path.Combine(folder, name + ".so");
        File.Move(library, final, overwrite: true);
        return final;
    }

    private static string FindCompiler() =>
        (
            from name in (string[])["gcc", "clang", "cc"]
            from folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(
                ':',
                StringSplitOptions.RemoveEmptyEntries
            )
            let path = Path.Combine(folder, name)
            where File.Exists(path)
            select path
        ).FirstOrDefault()
        ?? throw new InvalidOperationException(
            "Tests compile small libraries with gcc or clang, and neither is in PATH: install gcc (apt-get install "
                + "gcc libc6-dev)."
        );
}
