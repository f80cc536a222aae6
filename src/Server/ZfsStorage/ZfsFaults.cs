using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.ZfsStorage;

/// <summary>The answers to requests for which the server's ZFS failed.</summary>
internal static class ZfsFaults
{
    /// <summary>
    /// A failed <c>zfs receive</c>, by the messages in OpenZFS's lib/libzfs/libzfs_sendrecv.c: its exit code is 1 for
    /// every failure.
    /// </summary>
    public static RequestException OfReceive(ZfsException e)
    {
        var words = e.StandardError.Trim();
        // ZFS keeps what it has. Any other failure may be the stream's, and would repeat.
        if (e.End != ZfsEnd.Refused)
            return Interrupted(e);
        if (Says(words, "quota exceeded"))
            return new RequestException(
                StatusCodes.Status507InsufficientStorage,
                "quota_exceeded",
                $"The client's quota is used up in the server's ZFS: {words}",
                "Nothing of this backup was kept. Raise the quota, or keep fewer backups.",
                e
            );
        if (Says(words, "out of space"))
            return new RequestException(
                StatusCodes.Status507InsufficientStorage,
                "storage_full",
                $"The server's pool is full: {words}",
                "What the server has of this backup is kept, to be resumed. Free space in the server's pool.",
                e
            );
        if (Says(words, "has been modified") || Says(words, "does not match incremental source"))
            return RequestException.Conflict(
                "base_missing",
                $"The server's ZFS does not accept the stream on its snapshots: {words}",
                "Send a full backup: zfs-client backup-full."
            );
        if (Says(words, "is busy"))
            return Busy(e.Arguments[^1], e);
        return new RequestException(
            StatusCodes.Status500InternalServerError,
            "receive_failed",
            $"The server's ZFS refused the stream: {words}",
            "What the server's ZFS has of this backup is kept until it is dropped. The server's log may say more.",
            e
        );
    }

    /// <summary>The client has to ask where to resume.</summary>
    public static RequestException Interrupted(Exception? e = null) =>
        new(
            StatusCodes.Status409Conflict,
            "receive_interrupted",
            "The server's zfs receive ended before the stream did; what it had is kept.",
            "Ask with POST /upload where to resume the upload.",
            e
        );

    /// <summary>ZFS accepts nothing more: its pool may be suspended.</summary>
    public static RequestException Stuck(string dataset, TimeSpan patience, Exception? e = null) =>
        new(
            StatusCodes.Status503ServiceUnavailable,
            "storage_unavailable",
            $"The server's ZFS accepted nothing more into {dataset} for {patience.TotalSeconds:0} s.",
            "What it had is kept. The server's administrator should see 'zpool status': the pool may be suspended.",
            e
        );

    /// <summary>
    /// Whether what ZFS has of an upload is proven useless: the stream would be refused again, or is stored already.
    /// After any other failure, also an unknown one, ZFS keeps what it has.
    /// </summary>
    public static bool ProvesUseless(RequestException e) =>
        e.Error.Code
            is "stream_damaged"
                or "compression_damaged"
                or "stream_mismatch"
                or "stream_is_package"
                or "base_missing"
                or "snapshot_exists"
                or "quota_exceeded";

    public static RequestException Busy(string dataset, Exception? e = null) =>
        new(
            StatusCodes.Status503ServiceUnavailable,
            "server_busy",
            $"Another upload is being received into {dataset}.",
            "Send it again when that one has ended.",
            e
        );

    /// <summary>A failed command that reads a backup's snapshot.</summary>
    public static RequestException OfReading(OperationException e, SnapshotInfo backup)
    {
        if (e is not ZfsException { End: ZfsEnd.Refused } zfs)
            return Unavailable(e);
        if (Says(zfs.StandardError, "does not exist"))
            return new RequestException(
                StatusCodes.Status500InternalServerError,
                "object_missing",
                $"The snapshot of {backup.SnapshotId} does not exist in the server's ZFS.",
                "Other backups are not affected.",
                e
            );
        // To ask again would not help: ZFS has tried all copies of the block.
        if (Says(zfs.StandardError, "Input/output error"))
            return new RequestException(
                StatusCodes.Status500InternalServerError,
                "object_damaged",
                $"The server's ZFS cannot read a block of {backup.SnapshotId}: {zfs.StandardError.Trim()}",
                "Other backups are not affected, except those that are built on it. On the server, see "
                    + "'zpool status -v' and replace a failing disk; 'zpool scrub' repairs what another disk has. "
                    + "Otherwise bring the backup back from another copy of the server's dataset, or make a new one: "
                    + "zfs-client backup-full. Leave the files of the server's dataset unchanged.",
                e
            );
        return Unavailable(e);
    }

    /// <summary>
    /// Any other failed command: ZFS is not installed, its pool is not imported, or the server lacks permissions.
    /// </summary>
    public static RequestException Unavailable(OperationException e) =>
        new(
            StatusCodes.Status503ServiceUnavailable,
            "storage_unavailable",
            $"The server's ZFS failed: {e.Message}",
            $"The server's administrator must correct this. {e.Remedy}".TrimEnd(),
            e
        );

    private static bool Says(string words, string known) => words.Contains(known, StringComparison.OrdinalIgnoreCase);
}
