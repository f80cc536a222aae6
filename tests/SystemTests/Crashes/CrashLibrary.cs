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

/// <summary>crash_at.c, and what it is told.</summary>
internal static class CrashLibrary
{
    /// <summary>Settings that make a program crash.</summary>
    /// <param name="point">Where it does.</param>
    /// <param name="folder">Calls below it are counted.</param>
    /// <param name="log">Where they are noted; what is there is dropped.</param>
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
                _ => "full",
            },
            ["ZSM_CRASH_LOG"] = log,
        };
    }
}
