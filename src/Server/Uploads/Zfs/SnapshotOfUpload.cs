using System.Globalization;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>Looks for the snapshot that an upload becomes. ZFS creates it once it has the stream's END.</summary>
internal static class SnapshotOfUpload
{
    /// <returns>Bytes written for the snapshot; null if none has that name and GUID.</returns>
    public static async Task<long?> FindAsync(
        ZfsHost zfs,
        SnapshotName snapshot,
        SnapshotGuid guid,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var row = (
                await zfs.RunTableAsync(
                    ["list", "-H", "-p", "-t", "snapshot", "-o", "guid,written", snapshot.ToString()],
                    cancellationToken
                )
            ).Single();
            return row[0] == guid.ToString() ? long.Parse(row[1], CultureInfo.InvariantCulture) : null;
        }
        catch (ZfsException e) when (e.StandardError.Contains("does not exist", StringComparison.Ordinal))
        {
            return null;
        }
    }

    /// <summary>Finds the snapshot of an upload whose END was passed on.</summary>
    /// <returns>It, and what was to be noted of it; null if END was not passed on, or ZFS has no such
    /// snapshot.</returns>
    public static async Task<(SnapshotName Snapshot, SnapshotNote Note)?> FindAsync(
        ZfsHost zfs,
        UploadRecord upload,
        CancellationToken cancellationToken
    )
    {
        if (upload is not { Note: { } json, ZfsSnapshot: { } snapshot })
            return null;
        var note = SnapshotNote.Parse(json);
        return await FindAsync(zfs, snapshot, note.Manifest.SnapshotGuid, cancellationToken) is null
            ? null
            : (snapshot, note);
    }
}
