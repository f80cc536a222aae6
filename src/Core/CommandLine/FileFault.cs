namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>
/// What a file system refuses: for the operator a fault of the machine, not of the program. For Unix I/O errors .NET
/// sets HResult to the errno (dotnet/runtime, Interop.IOErrors.cs: <c>RawErrno</c>).
/// </summary>
public static class FileFault
{
    internal const int NoSpace = 28; // ENOSPC
    internal const int NoQuota = 122; // EDQUOT
    private const int BadDisk = 5; // EIO
    private const int ReadOnly = 30; // EROFS

    /// <summary>Whether a file could not be written because the disk, or the user's quota, is full.</summary>
    public static bool IsDiskFull(Exception e) => e is IOException && e.HResult is NoSpace or NoQuota;

    /// <returns>Null if it is no such fault.</returns>
    public static OperationException? Explain(Exception e) =>
        e switch
        {
            _ when IsDiskFull(e) => new(
                ExitCode.NoSpace,
                $"The disk is full: {e.Message}",
                "Make room there, and run the command again.",
                e
            ),
            UnauthorizedAccessException => new(
                ExitCode.Failure,
                $"This user may not do that: {e.Message}",
                "Run the command as the user to whom this belongs (zfs-server: the server's user, as in "
                    + "'runuser -u zfs-server -- zfs-server client list'), or give this user access.",
                e
            ),
            IOException { HResult: ReadOnly or BadDisk } => new(
                ExitCode.Failure,
                e.Message,
                "The file system is read-only or its disk fails: see 'dmesg', or 'zpool status -v'.",
                e
            ),
            _ => null,
        };
}
