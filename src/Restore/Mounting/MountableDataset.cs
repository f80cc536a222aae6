using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.Mounting;

/// <summary>What decides whether and how a dataset can be mounted on a directory.</summary>
/// <param name="Name">The dataset.</param>
/// <param name="IsVolume">A volume has no files to mount.</param>
/// <param name="IsMounted">Whether it is mounted anywhere.</param>
/// <param name="IsLegacy">Whether its property <c>mountpoint</c> is <c>legacy</c>.</param>
/// <param name="IsLocked">Whether its key is not loaded.</param>
internal sealed record MountableDataset(DatasetName Name, bool IsVolume, bool IsMounted, bool IsLegacy, bool IsLocked)
{
    /// <summary>
    /// How mount(8) is told to leave the properties as they are. <c>zfsutil</c> means that the directory need not be
    /// the one in the property <c>mountpoint</c>; the helper mount.zfs refuses it for <c>legacy</c>, and demands it for
    /// all others (cmd/mount_zfs.c).
    /// </summary>
    public string Options(bool writable) =>
        (IsLegacy, writable) switch
        {
            (true, true) => "rw",
            (true, false) => "ro",
            (false, true) => "zfsutil,rw",
            (false, false) => "zfsutil,ro",
        };

    /// <summary>A dataset and all below it, parents before children.</summary>
    public static async Task<IReadOnlyList<MountableDataset>> ListTreeAsync(
        ZfsHost zfs,
        DatasetName root,
        CancellationToken cancellationToken
    )
    {
        var rows = await zfs.RunTableAsync(
            ["list", "-H", "-r", "-t", "filesystem,volume", "-o", "name,type,mounted,mountpoint,keystatus", root.Value],
            cancellationToken
        );
        return
        [
            .. rows.Select(row => new MountableDataset(
                    DatasetName.Parse(row[0]),
                    IsVolume: row[1] == "volume",
                    IsMounted: row[2] == "yes",
                    IsLegacy: row[3] == "legacy",
                    IsLocked: row[4] == "unavailable"
                ))
                .OrderBy(dataset => dataset.Name.Value, StringComparer.Ordinal),
        ];
    }
}
