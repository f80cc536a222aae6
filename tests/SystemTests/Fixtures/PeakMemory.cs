namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>The peak memory of a client's programs.</summary>
internal static class PeakMemory
{
    /// <summary>Runs a program and watches the kernel's own count of its peak (VmHWM) until it ends.</summary>
    /// <returns>The peak in bytes, and all that it printed.</returns>
    public static async Task<(long Peak, string Printed)> OfAsync(
        ClientMachine client,
        string program,
        string arguments,
        int exitCode = 0
    )
    {
        using var process = client.Start($"exec {program} {arguments}");
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var peak = 0L;
        while (!process.HasExited)
        {
            peak = Math.Max(peak, TryReadPeak(process.Id, program) ?? 0);
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        Assert.True(process.ExitCode == exitCode, $"exit code {process.ExitCode}: {await error}");
        return (peak, await output + await error);
    }

    /// <returns>Null where the process is still the shell, or no longer there.</returns>
    private static long? TryReadPeak(int id, string program)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/comm").TrimEnd('\n') == program ? ProcessMemory.Peak(id) : null;
        }
        catch (Exception e) when (e is IOException or InvalidOperationException)
        {
            return null;
        }
    }
}
