using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>The store failed, not the one who sends or reads.</summary>
internal sealed class StorageException(StorageFault fault, string message, Exception? innerException = null)
    : OperationException(ExitCodeOf(fault), message, RemedyOf(fault), innerException)
{
    private const int NoSpace = 28; // ENOSPC
    private const int QuotaExceeded = 122; // EDQUOT

    public StorageFault Fault { get; } = fault;

    /// <summary>What a failed file operation means. .NET hands the errno of a Unix I/O error on as HResult.</summary>
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
    /// For those who run a command on the server; clients are told theirs by <see cref="StorageFaults"/>.
    /// </summary>
    private static string? RemedyOf(StorageFault fault) =>
        fault switch
        {
            StorageFault.Refused =>
                "docs/s3.md has the settings for each provider; 'zfs-server storage probe' tries them.",
            StorageFault.Unavailable => "Check S3_ENDPOINT, S3_USE_SSL and the network between; then run it again.",
            _ => null,
        };
}

internal enum StorageFault
{
    /// <summary>For none of the reasons below.</summary>
    Failed,

    /// <summary>It does not answer, or says that it cannot now. Later it may.</summary>
    Unavailable,

    /// <summary>It has no more space, or its quota is used up.</summary>
    Full,

    /// <summary>It refuses this server: its key, its rights, the bucket. An administrator must act.</summary>
    Refused,

    /// <summary>The object is not there, or not all of it.</summary>
    Missing,

    /// <summary>The key is taken.</summary>
    Exists,

    /// <summary>The object is under a retention and cannot be deleted yet.</summary>
    Locked,

    /// <summary>The bytes are not those that were stored.</summary>
    Damaged,
}
