using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>How much a pipe holds before its writer waits: 64 KiB unless somebody asks for more.</summary>
internal static partial class PipeSize
{
    /// <summary>F_SETPIPE_SZ of Linux (include/uapi/linux/fcntl.h).</summary>
    private const int SetPipeSize = 1031;

    /// <summary>The most that every user may ask for (/proc/sys/fs/pipe-max-size).</summary>
    private const int Wanted = 1024 * 1024;

    /// <summary>
    /// Asks for 1 MiB. A user who has many pipes may be refused (/proc/sys/fs/pipe-user-pages-soft); then it stays as
    /// it is, and all works.
    /// </summary>
    public static void Raise(SafePipeHandle pipe) => _ = Control(pipe, SetPipeSize, Wanted);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int Control(SafePipeHandle pipe, int command, nint argument);
}
