namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// What a test did: each command with its exit code, time and output, and the directories that it used. A file for each
/// test method in artifacts/test/logs; <c>./test</c> names those of the tests that failed.
/// </summary>
internal static class TestLog
{
    private const int MostOfAnOutput = 4000;

    private static readonly string Folder = Path.Combine(Repository.Root, "artifacts", "test", "logs");
    private static readonly Lock Writing = new();
    private static readonly Dictionary<string, string> Last = new(StringComparer.Ordinal);

    public static void Write(CommandResult result, TimeSpan time) =>
        Write(
            $"$ {Shorten(result.What)}\n-> exit code {result.ExitCode}, {time.TotalSeconds:0.00} s\n"
                + $"{Shorten(result.Output)}{Shorten(result.Error)}"
        );

    public static void Write(string text)
    {
        var test = TestContext.Current;
        var type = test.TestClass?.TestClassName.Split('.')[^1] ?? "other";
        var name = test.TestMethod is { } method ? $"{type}.{method.MethodName}.log" : $"{type}.log";
        var display = test.Test?.TestDisplayName ?? type;
        var now = TimeProvider.System.GetUtcNow();
        lock (Writing)
        {
            Directory.CreateDirectory(Folder);
            // Cases of one method follow one another.
            var header = Last.GetValueOrDefault(name) == display ? "" : $"\n### {display}\n";
            Last[name] = display;
            File.AppendAllText(Path.Combine(Folder, name), $"{header}{now:HH:mm:ss.ff} {text.TrimEnd('\n')}\n");
        }
    }

    private static string Shorten(string text) =>
        text.Length <= MostOfAnOutput
            ? text
            : $"{text[..(MostOfAnOutput / 2)]}\n[... {text.Length - MostOfAnOutput} characters ...]\n"
                + text[^(MostOfAnOutput / 2)..];
}
