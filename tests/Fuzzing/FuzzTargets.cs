using ZfsSnapshotManager.Fuzzing.Targets;

namespace ZfsSnapshotManager.Fuzzing;

/// <summary>Passes one input to the library and checks what the library does with it.</summary>
/// <param name="input">Any bytes.</param>
/// <returns>True if the library accepted the input, false if it refused it as documented.</returns>
/// <exception cref="FuzzFinding">The library broke a promise. Any other exception is one that it must not
/// throw.</exception>
public delegate bool FuzzTarget(ReadOnlySpan<byte> input);

/// <summary>All targets by name.</summary>
public static class FuzzTargets
{
    /// <summary>The name is that of the target's directory in <c>corpus</c> and <c>findings</c>.</summary>
    public static IReadOnlyDictionary<string, FuzzTarget> All { get; } =
        new SortedDictionary<string, FuzzTarget>(StringComparer.Ordinal)
        {
            ["merge"] = MergeTarget.Run,
            ["nvlist"] = NvListTarget.Run,
            ["records"] = StreamTarget.RunRecords,
            ["resume"] = ResumeTarget.Run,
            ["splice"] = SpliceTarget.Run,
            ["stream"] = StreamTarget.Run,
            ["token"] = TokenTarget.Run,
            ["token-list"] = TokenTarget.RunList,
        };
}
