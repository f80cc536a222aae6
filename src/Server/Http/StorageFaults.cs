using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Http;

/// <summary>The answers to requests for which the store failed.</summary>
internal static class StorageFaults
{
    /// <param name="kept">What happened to the request's own data, as a sentence.</param>
    public static RequestException ToRequest(StorageException e, string kept) =>
        e.Fault switch
        {
            StorageFault.Full => new(
                StatusCodes.Status507InsufficientStorage,
                "storage_full",
                e.Message,
                $"{kept} Free space in the server's store, or raise its quota.",
                e
            ),
            StorageFault.Unavailable => new(
                StatusCodes.Status503ServiceUnavailable,
                "storage_unavailable",
                e.Message,
                $"{kept} Run the command again when the server's store is available.",
                e
            ),
            StorageFault.Refused => new(
                StatusCodes.Status500InternalServerError,
                "storage_refused",
                e.Message,
                $"{kept} The server's administrator must correct this.",
                e
            ),
            StorageFault.Missing => new(
                StatusCodes.Status500InternalServerError,
                "object_missing",
                e.Message,
                "Search for it in copies of the server's store; other backups are not affected.",
                e
            ),
            StorageFault.Damaged => new(
                StatusCodes.Status500InternalServerError,
                "object_damaged",
                e.Message,
                "Other backups are not affected, unless they depend on this one.",
                e
            ),
            StorageFault.Unreadable => new(
                StatusCodes.Status500InternalServerError,
                "object_damaged",
                e.Message,
                "Check the server's disk, and bring the object back from a copy. Other backups are not affected, "
                    + "unless they depend on this one.",
                e
            ),
            StorageFault.Exists => RequestException.Conflict(
                "object_exists",
                e.Message,
                $"{kept} 'zfs-server catalogue check' names what is stored and not listed; send the snapshot again "
                    + "when it is removed, or drop the upload."
            ),
            StorageFault.Locked => RequestException.Conflict("object_locked", e.Message, "Wait until then."),
            _ => new(
                StatusCodes.Status500InternalServerError,
                "internal_error",
                $"The server's store failed: {e.Message}",
                $"{kept} The server's log says more.",
                e
            ),
        };
}
