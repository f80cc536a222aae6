using System.Collections.Concurrent;

namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>Does the same at many crash points, some at a time, and reports all failures, not only the first.</summary>
internal static class CrashSweep
{
    private const int Workers = 3;

    /// <summary>A soak visits all crash points instead of a sample.</summary>
    public static bool IsSoak => RandomTest.IsSoak;

    /// <summary>The seed of this run; <see cref="Sample"/> prints it.</summary>
    public static int Seed => RandomTest.Seed;

    public static void Print(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);

    /// <summary>
    /// The calls of the log's frames are alike: unless this is a soak, each of them is chosen with the probability
    /// 1/<paramref name="oneIn"/>, all others always.
    /// </summary>
    public static IReadOnlyList<CountedCall> Sample(IReadOnlyList<CountedCall> calls, int oneIn)
    {
        var random = RandomTest.Random();
        return [.. calls.Where(call => !call.IsFrame || IsSoak || random.Next(oneIn) == 0)];
    }

    /// <summary>Before and after each call, and each write torn.</summary>
    public static IEnumerable<CrashPoint> AllPointsOf(IReadOnlyList<CountedCall> calls) =>
        calls.SelectMany(call =>
            ((CrashMoment[])[CrashMoment.Before, CrashMoment.After, CrashMoment.Torn])
                .Where(moment => moment != CrashMoment.Torn || call.IsWrite)
                .Select(moment => new CrashPoint(call.Number, moment))
        );

    /// <param name="create">Makes a lab for each worker.</param>
    /// <param name="points">Where to crash.</param>
    /// <param name="check">Crashes and checks; throws if something is wrong.</param>
    /// <param name="describe">What is done at a crash point, for the report.</param>
    public static async Task RunAsync<TPoint>(
        Func<Task<CrashLab>> create,
        IEnumerable<TPoint> points,
        Func<CrashLab, TPoint, Task> check,
        Func<TPoint, string> describe
    )
    {
        var left = new ConcurrentQueue<TPoint>(RandomTest.Split(points));
        var count = left.Count;
        var faults = new ConcurrentQueue<string>();
        var missed = new ConcurrentQueue<string>();
        var start = TimeProvider.System.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(_ => Task.Run(WorkAsync)));
        foreach (var point in missed)
            Print($"this run had no {point}");
        Assert.True(missed.Count <= 1 + count / 4, $"{missed.Count} of {count} points were not reached");
        Print($"{count - missed.Count} crashes in {TimeProvider.System.GetElapsedTime(start).TotalSeconds:0.0} s");
        Assert.True(
            faults.IsEmpty,
            $"ZSM_SEED={Seed}: {faults.Count} of {count} crashes were not "
                + $"survived:\n{string.Join('\n', faults.Order(StringComparer.Ordinal))}"
        );

        async Task WorkAsync()
        {
            await using var lab = await create();
            while (left.TryDequeue(out var point))
            {
                try
                {
                    await check(lab, point);
                }
                catch (PointNotReachedException)
                {
                    missed.Enqueue(describe(point));
                }
                catch (Exception e) when (e is not OutOfMemoryException)
                {
                    faults.Enqueue($"{describe(point)}: {e.Message}");
                }
            }
        }
    }
}
