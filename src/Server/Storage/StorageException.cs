using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>The store failed, not the client that sends or reads.</summary>
internal sealed class StorageException(StorageFault fault, string message, Exception? innerException = null)
    : OperationException(ExitCodeOf(fault), message, RemedyOf(fault), innerException)
{
    private const int NoSpace = 28; // ENOSPC
    private const int QuotaExceeded = 122; // EDQUOT

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

    private static ExitCode ExitCodeOf(StorageFault fault) =>
        fault switch
        {
            StorageFault.Refused => ExitCode.Configuration,
            StorageFault.Unavailable => ExitCode.Unreachable,
            StorageFault.Full => ExitCode.NoSpace,
            StorageFault.Missing or StorageFault.Damaged => ExitCode.Damaged,
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

internal enum StorageFault
{
    /// <summary>Any other failure.</summary>
    Failed,

    /// <summary>It does not answer, or cannot serve the request now. Later it may.</summary>
    Unavailable,

    /// <summary>It has no space left, or its quota is used up.</summary>
    Full,

    /// <summary>It refuses this server: its key, its permissions, the bucket. An administrator must act.</summary>
    Refused,

    /// <summary>The object does not exist, or is incomplete.</summary>
    Missing,

    /// <summary>The key is already in use.</summary>
    Exists,

    /// <summary>The object is under a retention and cannot be deleted yet.</summary>
    Locked,

    /// <summary>The bytes are not those that were stored.</summary>
    Damaged,
}
