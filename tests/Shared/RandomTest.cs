using System.Globalization;

namespace ZfsSnapshotManager.Tests;

/// <summary>
/// Seed and extent of the random tests. <c>./test</c> makes a few draws from a seed that is new in each run;
/// <c>./test --soak</c> makes many. ZSM_SEED repeats a run. ZSM_SOAK is set by <c>--soak</c>; if it is N/M, this run
/// makes the Nth of M equal shares of the many draws.
/// </summary>
internal static class RandomTest
{
    private static readonly (int Number, int Of)? Share = ShareOf(Environment.GetEnvironmentVariable("ZSM_SOAK"));

    /// <summary>The seed of this run: ZSM_SEED, or a new one.</summary>
    public static int Seed { get; } = SeedOf(Environment.GetEnvironmentVariable("ZSM_SEED"));

    public static bool IsSoak => Share is not null;

    /// <summary>The draws of one test. The seed is in the test's output, whether the test fails or not.</summary>
    /// <param name="few">How many draws <c>./test</c> makes.</param>
    /// <param name="many">How many draws a whole soak makes.</param>
    public static IEnumerable<Draw> Draws(int few, int many)
    {
        PrintSeed();
        var (first, end) = Extent(few, many, Share);
        return Enumerable.Range(first, end - first).Select(number => new Draw(unchecked(Seed + number)));
    }

    /// <summary>How many draws this run makes, for tests whose draws depend on those before.</summary>
    public static int Count(int few, int many)
    {
        var (first, end) = Extent(few, many, Share);
        return end - first;
    }

    /// <summary>What this run does of a list that a whole soak does completely: all of it without a share.</summary>
    public static IEnumerable<T> Split<T>(IEnumerable<T> all) =>
        Share is { } part ? all.Where((_, index) => index % part.Of == part.Number - 1) : all;

    /// <summary>One draw, for tests that are random in one place only.</summary>
    public static Random Random()
    {
        PrintSeed();
        return new Random(Seed);
    }

    /// <summary>Where the draws of a share start and end: of a soak, if there is a share.</summary>
    public static (int First, int End) Extent(int few, int many, (int Number, int Of)? share) =>
        share is { } part
            ? ((int)((long)many * (part.Number - 1) / part.Of), (int)((long)many * part.Number / part.Of))
            : (0, few);

    /// <summary>Null without a soak. Any text but N/M stands for the whole soak.</summary>
    public static (int Number, int Of)? ShareOf(string? soak)
    {
        if (string.IsNullOrEmpty(soak))
            return null;
        if (!soak.Contains('/', StringComparison.Ordinal))
            return (1, 1);
        var parts = soak.Split('/');
        if (
            parts.Length != 2
            || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var of)
            || number < 1
            || number > of
        )
            throw new FormatException($"ZSM_SOAK={soak}: a share of a soak is N/M, with N from 1 to M.");
        return (number, of);
    }

    private static int SeedOf(string? text)
    {
        if (string.IsNullOrEmpty(text))
            return System.Random.Shared.Next(1 << 30); // the draws after it do not overflow
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seed)
            ? seed
            : throw new FormatException($"ZSM_SEED={text}: a seed is a number from {int.MinValue} to {int.MaxValue}.");
    }

    private static void PrintSeed() => TestContext.Current.TestOutputHelper?.WriteLine($"ZSM_SEED={Seed}");
}
