using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>How much a pipe holds before its writer waits: 64 KiB by default (pipe(7)).</summary>
internal static partial class PipeSize
{
    /// <summary>F_SETPIPE_SZ of Linux (include/uapi/linux/fcntl.h).</summary>
    private const int SetPipeSize = 1031;

    /// <summary>In bytes: the most that a user without privileges may ask for (/proc/sys/fs/pipe-max-size).</summary>
    private const int Wanted = 1024 * 1024;

    /// <summary>
    /// Asks for 1 MiB. The kernel may refuse a user who has many pipes (/proc/sys/fs/pipe-user-pages-soft). The pipe
    /// then keeps its size, and everything works more slowly.
    /// </summary>
    public static void Raise(SafePipeHandle pipe) => _ = Control(pipe, SetPipeSize, Wanted);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int Control(SafePipeHandle pipe, int command, nint argument);
}
