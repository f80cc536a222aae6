using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Backends;

/// <summary>Backups in ZFS: snapshots, each with its manifest in a property.</summary>
internal sealed class ZfsBackend(ZfsHost zfs, ZfsDownloads downloads) : IBackupBackend
{
    public Task SendAsync(HttpContext context, SnapshotInfo backup) => downloads.SendAsync(context, backup);

    public Task<byte[]> ReadManifestAsync(SnapshotInfo backup, CancellationToken cancellationToken) =>
        ZfsManifests.ReadAsync(zfs, backup, cancellationToken);

    public Manifest ParseManifest(byte[] json) => Manifest.ParseLocal(json);

    public Task DeleteAsync(Deletion deletion, CancellationToken cancellationToken) =>
        SnapshotRemoval.DestroyAsync(
            zfs,
            SnapshotName.Parse(deletion.StorageKey),
            deletion.LocalGuid!.Value,
            cancellationToken
        );
}
