using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>The store failed, not the client that sends or reads.</summary>
internal sealed class StorageException(StorageFault fault, string message, Exception? innerException = null)
    : OperationException(ExitCodeOf(fault), message, RemedyOf(fault), innerException)
{
    private const int NoSpace = 28; // ENOSPC
    private const int QuotaExceeded = 122; // EDQUOT

    /// <summary>
    /// What reading a damaged disk or file system gives: EIO; ENODATA for a medium error (block/blk-core.c,
    /// blk_errors); EBADMSG and EUCLEAN for a wrong checksum of XFS, ext4 or Btrfs.
    /// </summary>
    private static readonly int[] ErrnosOfDamage = [5, 61, 74, 117];

    public StorageFault Fault { get; } = fault;

    /// <summary>
    /// A failed file operation. For Unix I/O errors, .NET sets HResult to the errno (dotnet/runtime,
    /// Interop.IOErrors.cs: <c>RawErrno</c>).
    /// </summary>
    public static StorageException FromFile(string message, Exception e) =>
        new(
            e.HResult is NoSpace or QuotaExceeded ? StorageFault.Full : StorageFault.Failed,
            $"{message}: {e.Message}",
            e
        );

    /// <summary>An object that could not be read.</summary>
    public static StorageException FromReading(string message, Exception e) =>
        e is UnauthorizedAccessException || ErrnosOfDamage.Contains(e.HResult)
            ? new StorageException(StorageFault.Unreadable, $"{message}: {e.Message}", e)
            : FromFile(message, e);

    private static ExitCode ExitCodeOf(StorageFault fault) =>
        fault switch
        {
            StorageFault.Refused => ExitCode.Configuration,
            StorageFault.Unavailable => ExitCode.Unreachable,
            StorageFault.Full => ExitCode.NoSpace,
            StorageFault.Missing or StorageFault.Damaged or StorageFault.Unreadable => ExitCode.Damaged,
            StorageFault.Exists or StorageFault.Locked => ExitCode.Conflict,
            _ => ExitCode.ServerFailed,
        };

    /// <summary>
    /// For commands on the server; clients get theirs from <see cref="StorageFaults"/>.
    /// </summary>
    private static string? RemedyOf(StorageFault fault) =>
        fault switch
        {
            StorageFault.Refused =>
                "docs/s3.md has the settings for each provider; 'zfs-server storage probe' tests them.",
            StorageFault.Unavailable => "Check S3_ENDPOINT, S3_USE_SSL and the network between; then run it again.",
            _ => null,
        };
}
