using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Http;

/// <summary>What a failure of the store means for the one who waits for an answer.</summary>
internal static class StorageFaults
{
    /// <param name="kept">What became of the request's own data, as a sentence.</param>
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
                $"{kept} Run the command again when the server's store is back.",
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
                "Look for it in the server's backups; other backups are not affected.",
                e
            ),
            StorageFault.Damaged => new(
                StatusCodes.Status500InternalServerError,
                "object_damaged",
                e.Message,
                "Other backups are not affected, unless they build on this one.",
                e
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
