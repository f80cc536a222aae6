using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>How many files, pipes and connections a program may have open (RLIMIT_NOFILE, getrlimit(2)).</summary>
internal static partial class DescriptorLimit
{
    /// <summary>RLIMIT_NOFILE of Linux.</summary>
    private const int Descriptors = 7;

    /// <summary>
    /// Raises the usual 1,024 to what the system allows. CoreCLR does that by itself, a NativeAOT program does not.
    /// If it fails, the program works with what it has.
    /// </summary>
    public static void Raise()
    {
        if (Get(Descriptors, out var limit) != 0 || limit.Soft >= limit.Hard)
            return;
        var raised = new Limit { Soft = limit.Hard, Hard = limit.Hard };
        _ = Set(Descriptors, in raised);
    }

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int Get(int resource, out Limit limit);

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int Set(int resource, in Limit limit);

    [StructLayout(LayoutKind.Sequential)]
    private struct Limit
    {
        public nuint Soft;
        public nuint Hard;
    }
}
