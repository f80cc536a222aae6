using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>What is done at a counted call.</summary>
internal enum CrashMoment
{
    Before,
    After,

    /// <summary>Half of a write is done.</summary>
    Torn,

    /// <summary>The program continues: the call fails as on a full disk, the next one succeeds.</summary>
    Fail,

    /// <summary>The program continues: from this call on the disk stays full, and only removals succeed.</summary>
    Full,

    /// <summary>The program continues: the disk is full until the first removal makes room.</summary>
    Tight,
}

/// <summary>The call, from 1, at which a program is killed.</summary>
internal sealed record CrashPoint(int Call, CrashMoment Moment)
{
    /// <summary>None: all calls are logged.</summary>
    public static CrashPoint None { get; } = new(0, CrashMoment.Before);

    /// <summary>The program is killed there.</summary>
    public bool Ends => Call > 0 && (Moment is CrashMoment.Before or CrashMoment.After or CrashMoment.Torn);

    public override string ToString() => Call == 0 ? "no crash" : $"{Moment} call {Call}";
}

/// <summary>crash_at.c and its settings.</summary>
internal static class CrashLibrary
{
    /// <summary>Settings that make a program crash.</summary>
    /// <param name="point">Where it does.</param>
    /// <param name="folder">Calls below it are counted.</param>
    /// <param name="log">The log of these calls; its old content is deleted.</param>
    /// <param name="mark">A file whose creation starts the count; null: it starts with the program.</param>
    public static async Task<IReadOnlyDictionary<string, string>> SettingsAsync(
        CrashPoint point,
        string folder,
        string log,
        string? mark = null
    )
    {
        File.Delete(log);
        if (mark is not null)
            File.Delete(mark);
        return new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["LD_PRELOAD"] = await PreloadedLibrary.CompileAsync("Crashes/crash_at.c"),
            ["ZSM_CRASH_FOLDER"] = folder,
            ["ZSM_CRASH_MARK"] = mark ?? "",
            ["ZSM_CRASH_AT"] = $"{point.Call}",
            ["ZSM_CRASH_WHEN"] = point.Moment switch
            {
                CrashMoment.Before => "before",
                CrashMoment.After => "after",
                CrashMoment.Torn => "torn",
                CrashMoment.Fail => "fail",
                CrashMoment.Tight => "tight",
                _ => "full",
            },
            ["ZSM_CRASH_LOG"] = log,
        };
    }
}
