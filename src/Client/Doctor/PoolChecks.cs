using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Doctor;

/// <summary>What <c>zfs-client doctor</c> checks of pools and of ZFS itself.</summary>
internal sealed class PoolChecks(ZfsHost zfs, Diagnosis result)
{
    private const string CorruptData = "/sys/module/zfs/parameters/zfs_send_corrupt_data";

    public async Task CheckAsync(string pool, CancellationToken cancellationToken)
    {
        await CheckWritableAsync(pool, cancellationToken);
        await CheckBookmarksAsync(pool, cancellationToken);
        await CheckErrorsAsync(pool, cancellationToken);
    }

    /// <summary>
    /// With this parameter <c>zfs send</c> fills blocks that it cannot read with 0x2f5baddb10c and continues
    /// (module/zfs/dmu_send.c): the stream is valid, and nothing in it tells these blocks from others.
    /// </summary>
    public async Task CheckSendAsync(CancellationToken cancellationToken)
    {
        try
        {
            if ((await zfs.RunOtherAsync("cat", [CorruptData], cancellationToken)).Trim() is "" or "0")
                return;
        }
        catch (ZfsException)
        {
            return; // it is not Linux
        }

        result.Warn(
            "zfs",
            "zfs_send_corrupt_data is set: blocks that cannot be read are sent with other contents, and such backups "
                + "are stored as valid",
            $"echo 0 > {CorruptData}"
        );
    }

    private async Task CheckWritableAsync(string pool, CancellationToken cancellationToken)
    {
        if (await ZpoolProperty.IsReadOnlyAsync(zfs, pool, cancellationToken))
            result.Fail(
                "pool",
                $"{pool} is imported read-only: no snapshot can be made in it, so its datasets are not backed up",
                $"Import it for writing: zpool export {pool} && zpool import {pool}",
                ExitCode.Zfs
            );
    }

    /// <summary>Pools of old versions, and those made with <c>zpool create -d</c>, have none.</summary>
    private async Task CheckBookmarksAsync(string pool, CancellationToken cancellationToken)
    {
        if (await ZpoolProperty.HasBookmarksAsync(zfs, pool, cancellationToken) == false)
            result.Warn(
                "bookmarks",
                $"feature@bookmarks is off in the pool {pool}: the next incremental backup starts from a snapshot, "
                    + "which must not be destroyed",
                $"Nothing else changes. To have bookmarks: zpool set feature@bookmarks=enabled {pool}"
            );
    }

    /// <summary>A block that cannot be read ends <c>zfs send</c> of every snapshot that has it.</summary>
    private async Task CheckErrorsAsync(string pool, CancellationToken cancellationToken)
    {
        if (await ZpoolErrors.FindAsync(zfs, pool, cancellationToken) is { } errors)
            result.Warn(
                "pool",
                $"{pool} has blocks that cannot be read ({errors}): snapshots with them cannot be sent in full backups",
                $"'zpool status -v {pool}' names the damaged files: delete them or replace them by good copies."
            );
    }
}
