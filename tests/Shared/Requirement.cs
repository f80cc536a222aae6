using System.Diagnostics.CodeAnalysis;

namespace ZfsSnapshotManager.Tests;

/// <summary>
/// What a test needs of its machine. Without it the test is skipped, but if CI is set it fails: there nothing may be
/// missing.
/// </summary>
internal static class Requirement
{
    private static readonly bool IsCI = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("CI"));

    /// <param name="missing">Says what is missing, and what it takes.</param>
    public static void Check([DoesNotReturnIf(false)] bool isMet, string missing)
    {
        Assert.False(!isMet && IsCI, $"CI is set, but {missing}");
        Assert.SkipUnless(isMet, missing);
    }
}
