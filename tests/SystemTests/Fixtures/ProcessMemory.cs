using System.Globalization;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

internal static class ProcessMemory
{
    /// <summary>VmHWM of /proc/PID/status: the peak of resident memory, in bytes.</summary>
    public static long Peak(int processId) =>
        Parse(
            File.ReadLines($"/proc/{processId}/status")
                .Single(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
        );

    public static long Parse(string line) =>
        1024
        * long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
}
