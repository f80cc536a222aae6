using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>What happens at a counted call.</summary>
internal enum CrashMoment
{
    Before,
    After,

    /// <summary>Half of a write is done.</summary>
    Torn,

    /// <summary>Nothing ends: the call fails as on a full disk, the next one succeeds.</summary>
    Fail,

    /// <summary>Nothing ends: from this call on the disk is full, and stays so; only removals succeed.</summary>
    Full,
}

/// <summary>The call, from 1, at which a program ends.</summary>
internal sealed record CrashPoint(int Call, CrashMoment Moment)
{
    /// <summary>Nowhere: all calls are noted.</summary>
    public static CrashPoint None { get; } = new(0, CrashMoment.Before);

    /// <summary>The program ends there.</summary>
    public bool Ends => Call > 0 && (Moment is CrashMoment.Before or CrashMoment.After or CrashMoment.Torn);

    public override string ToString() => Call == 0 ? "no crash" : $"{Moment} call {Call}";
}

/// <summary>crash_at.c, compiled once per run with the compiler that is there.</summary>
internal static class CrashLibrary
{
    private static readonly Lazy<Task<string>> Compiled = new(CompileAsync);

    /// <summary>Settings that make a program crash.</summary>
    /// <param name="point">Where it does.</param>
    /// <param name="folder">Calls below it are counted.</param>
    /// <param name="log">Where they are noted; what is there is dropped.</param>
    /// <param name="mark">A file whose creation starts the count; null: it starts with the program.</param>
    public static async Task<IReadOnlyDictionary<string, string>> SettingsAsync(CrashPoint point, string folder, string log, string? mark = null)
    {
        File.Delete(log);
        if (mark is not null) File.Delete(mark);
        return new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["LD_PRELOAD"] = await Compiled.Value,
            ["ZSM_CRASH_FOLDER"] = folder,
            ["ZSM_CRASH_MARK"] = mark ?? "",
            ["ZSM_CRASH_AT"] = $"{point.Call}",
            ["ZSM_CRASH_WHEN"] = point.Moment switch { CrashMoment.Before => "before", CrashMoment.After => "after", CrashMoment.Torn => "torn", CrashMoment.Fail => "fail", _ => "full" },
            ["ZSM_CRASH_LOG"] = log,
        };
    }

    private static async Task<string> CompileAsync()
    {
        var folder = Directory.CreateDirectory(Path.Combine(Repository.Root, "artifacts", "test")).FullName;
        var library = Path.Combine(folder, $"crash_at-{Environment.ProcessId}.so");
        string[] arguments = ["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, Path.Combine(Repository.Root, "tests", "SystemTests", "Crashes", "crash_at.c"), "-lpthread", "-ldl"];
        (await Command.RunAsync(FindCompiler(), arguments)).MustSucceed();
        var final = Path.Combine(folder, "crash_at.so");
        File.Move(library, final, overwrite: true);
        return final;
    }

    private static string FindCompiler() =>
        (from name in (string[])["gcc", "clang", "cc"]
         from folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
         let path = Path.Combine(folder, name)
         where File.Exists(path)
         select path).FirstOrDefault() ?? throw new InvalidOperationException("The crash tests compile crash_at.c with gcc or clang, and neither is in PATH: install gcc (apt-get install gcc libc6-dev).");
}
