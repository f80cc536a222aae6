using System.Globalization;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

internal static class ProcessMemory
{
    /// <summary>VmHWM of /proc/PID/status: the peak of resident memory, in bytes.</summary>
    public static long Peak(int processId) => Read(processId, "VmHWM:");

    /// <summary>VmRSS of it: the resident memory now, in bytes.</summary>
    public static long Now(int processId) => Read(processId, "VmRSS:");

    private static long Read(int processId, string name) =>
        Parse(
            File.ReadLines($"/proc/{processId}/status").Single(line => line.StartsWith(name, StringComparison.Ordinal))
        );

    public static long Parse(string line) =>
        1024
        * long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
}
