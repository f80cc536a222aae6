using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Rotation;

/// <summary>The bookmarks of earlier versions.</summary>
internal static class OldBookmarks
{
    /// <summary>
    /// Gives the bookmarks of earlier versions, which have no owner in their names, names that have. Only those that
    /// this server knows are this client's; the others stay as they are, and so do all where ZFS cannot copy bookmarks
    /// (before OpenZFS 2.0).
    /// </summary>
    /// <returns>Whether there were any.</returns>
    public static async Task<bool> AdoptAsync(
        ClientSettings settings,
        Output output,
        IReadOnlyList<LocalSnapshot> local,
        IReadOnlyList<SnapshotInfo> remote,
        ClientIdentity identity,
        CancellationToken cancellationToken
    )
    {
        var known = remote.Select(backup => backup.SnapshotGuid).ToHashSet();
        var old = local
            .Where(bookmark =>
                SnapshotNaming.IsOldBookmark(bookmark.Name, settings.SnapshotPrefix) && known.Contains(bookmark.Guid)
            )
            .ToList();
        try
        {
            foreach (var bookmark in old)
            {
                await settings.Zfs.CreateBookmarkAsync(bookmark.Name, bookmark.Guid, identity.Owner, cancellationToken);
                await settings.Zfs.DestroyBookmarkAsync(bookmark.Name, cancellationToken);
            }
        }
        catch (ZfsException e) when (e.End == ZfsEnd.Refused)
        {
            output.Note($"{old[0].Name.Dataset}: bookmarks of an earlier version keep their names: {e.Message}");
        }

        return old.Count > 0;
    }
}
