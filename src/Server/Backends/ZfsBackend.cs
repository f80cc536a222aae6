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

    public async Task<Stream> OpenManifestAsync(SnapshotInfo backup, CancellationToken cancellationToken) =>
        new MemoryStream(await ZfsManifests.ReadAsync(zfs, backup, cancellationToken), writable: false);

    public async Task<Manifest> ReadManifestAsync(Stream json, CancellationToken cancellationToken)
    {
        using var all = new MemoryStream();
        await json.CopyToAsync(all, cancellationToken);
        return Manifest.ParseLocal(all.ToArray());
    }

    public Task DeleteAsync(Deletion deletion, CancellationToken cancellationToken) =>
        SnapshotRemoval.DestroyAsync(
            zfs,
            SnapshotName.Parse(deletion.StorageKey),
            deletion.LocalGuid!.Value,
            cancellationToken
        );
}
