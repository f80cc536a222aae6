using System.Globalization;

namespace ZfsSnapshotManager.ManyClients;

/// <summary>What the processes of a server use from now on, as Linux counts it (proc(5)).</summary>
internal sealed class MeasuredServer
{
    private const double TicksPerSecond = 100; // USER_HZ, which is the same on all of Linux

    private readonly int[] _processes;
    private readonly double _before;
    private readonly long _start;

    public MeasuredServer(int[] processes)
    {
        _processes = processes;
        foreach (var process in processes)
            File.WriteAllText($"/proc/{process}/clear_refs", "5"); // the peak starts again
        _before = processes.Sum(CpuOf);
        _start = TimeProvider.System.GetTimestamp();
    }

    /// <returns>Wall seconds, CPU seconds and peak memory in MiB.</returns>
    public string Read()
    {
        var wall = TimeProvider.System.GetElapsedTime(_start).TotalSeconds;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{wall:0.000} {_processes.Sum(CpuOf) - _before:0.000} {_processes.Sum(PeakOf):0.0}"
        );
    }

    private static double CpuOf(int process)
    {
        var fields = File.ReadAllText($"/proc/{process}/stat").Split(") ")[^1].Split(' ');
        return (Number(fields[11]) + Number(fields[12])) / TicksPerSecond; // utime, stime
    }

    private static double PeakOf(int process) =>
        Number(
            File.ReadLines($"/proc/{process}/status")
                .First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]
        ) / 1024;

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
