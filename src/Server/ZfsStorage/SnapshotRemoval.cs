using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Server.ZfsStorage;

/// <summary>
/// Destroys single received snapshots, and a received dataset once its last snapshot is destroyed. Nothing is ever
/// destroyed recursively.
/// </summary>
internal static class SnapshotRemoval
{
    /// <summary>
    /// Destroys a snapshot if it still has the GUID; one that no longer exists counts as destroyed.
    /// </summary>
    /// <exception cref="ZfsException">ZFS refuses: it is held, cloned, or being sent.</exception>
    public static async Task DestroyAsync(
        ZfsHost zfs,
        SnapshotName snapshot,
        SnapshotGuid guid,
        CancellationToken cancellationToken
    )
    {
        if (!await zfs.ExistsAsync(snapshot.Dataset, cancellationToken))
            return;
        var snapshots = await zfs.ListSnapshotsAsync(snapshot.Dataset, cancellationToken);
        if (snapshots.Any(there => there.Name == snapshot && there.Guid == guid))
            await zfs.DestroySnapshotAsync(snapshot, cancellationToken);
        if (!snapshots.Any(there => there.Name != snapshot && !there.Name.IsBookmark))
            await DestroyEmptyAsync(zfs, snapshot.Dataset, cancellationToken);
    }

    /// <summary>
    /// A received dataset without snapshots is no longer needed: nothing can be received on it. ZFS itself refuses to
    /// destroy one with children or snapshots (no <c>-r</c>). A dataset with a pending receive, or one that was not
    /// received at all, stays.
    /// </summary>
    private static async Task DestroyEmptyAsync(ZfsHost zfs, DatasetName dataset, CancellationToken cancellationToken)
    {
        var rows = await zfs.RunTableAsync(
            [
                "get",
                "-H",
                "-o",
                "property,value,source",
                $"{ZfsStorageProperties.Source},receive_resume_token",
                dataset.Value,
            ],
            cancellationToken
        );
        var values = rows.ToDictionary(row => row[0], row => row, StringComparer.Ordinal);
        if (values[ZfsStorageProperties.Source][2] != "local" || values["receive_resume_token"][1] is not ("" or "-"))
            return;
        var children = await zfs.RunTableAsync(
            ["list", "-H", "-r", "-t", "all", "-o", "name", dataset.Value],
            cancellationToken
        );
        if (children.Skip(1).Any())
            return;
        await zfs.RunAsync(["destroy", dataset.Value], cancellationToken);
    }
}
