using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.ZfsStandIn;

/// <summary>Signals that .NET handles by itself.</summary>
internal static partial class Signals
{
    private const int BrokenPipe = 13;
    private const int BadMemory = 11;

    /// <summary>Ends the process as a write into a closed pipe ends others: .NET ignores SIGPIPE.</summary>
    public static void EndByBrokenPipe()
    {
        _ = SetHandler(BrokenPipe, 0);
        _ = Raise(BrokenPipe);
    }

    /// <summary>Ends the process as a wrong pointer ends others: .NET turns SIGSEGV into an exception.</summary>
    public static void Crash()
    {
        _ = SetHandler(BadMemory, 0);
        _ = Raise(BadMemory);
    }

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint SetHandler(int signal, nint handler);

    [LibraryImport("libc", EntryPoint = "raise")]
    private static partial int Raise(int signal);
}
