namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// Waits for a state to come about, and fails when it does not. ZSM_PATIENCE=4 makes every limit of the tests four
/// times as long, for slow and busy machines.
/// </summary>
internal static class Patience
{
    /// <summary>What each limit is multiplied by: ZSM_PATIENCE; 1 without it.</summary>
    public static double Factor { get; } =
        double.TryParse(
            Environment.GetEnvironmentVariable("ZSM_PATIENCE"),
            System.Globalization.CultureInfo.InvariantCulture,
            out var factor
        )
        && factor > 0
            ? factor
            : 1;

    private static TimeSpan Most => Of(60);

    /// <param name="seconds">On a machine that is neither slow nor busy.</param>
    public static TimeSpan Of(double seconds) => TimeSpan.FromSeconds(seconds * Factor);

    /// <summary>Whole seconds, for a setting or a script.</summary>
    public static string SecondsOf(double seconds) =>
        Math.Ceiling(seconds * Factor).ToString("0", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Waits for a process to end; one that does not is killed, and fails the test.</summary>
    public static async Task WaitForEndAsync(System.Diagnostics.Process process, string what, double seconds = 120)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Of(seconds));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"Did not end within {SecondsOf(seconds)} s: {what}");
        }
    }

    public static async Task UntilAsync(string what, Func<Task<bool>> holds)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            if (TimeProvider.System.GetElapsedTime(start) > Most)
                Assert.Fail($"Not within {Most.TotalSeconds} s: {what}");
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }

    public static Task UntilAsync(string what, Func<bool> holds) => UntilAsync(what, () => Task.FromResult(holds()));
}
