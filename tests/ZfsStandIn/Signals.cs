using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.ZfsStandIn;

/// <summary>Signals that .NET handles by itself.</summary>
internal static partial class Signals
{
    private const int BrokenPipe = 13;

    /// <summary>Ends the process as a write into a closed pipe ends others: .NET ignores SIGPIPE.</summary>
    public static void EndByBrokenPipe()
    {
        _ = SetHandler(BrokenPipe, 0);
        _ = Raise(BrokenPipe);
    }

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint SetHandler(int signal, nint handler);

    [LibraryImport("libc", EntryPoint = "raise")]
    private static partial int Raise(int signal);
}
