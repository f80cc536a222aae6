using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Backends;

/// <summary>Backups in the object store: objects with a manifest beside them.</summary>
internal sealed class ObjectBackend(BackupStore store, ObjectDownloads downloads, StoreFence fence) : IBackupBackend
{
    public Task SendAsync(HttpContext context, SnapshotInfo backup) => downloads.SendAsync(context, backup);

    public async Task<Stream> OpenManifestAsync(SnapshotInfo backup, CancellationToken cancellationToken) =>
        await store.OpenManifestAsync(backup.StorageKey, cancellationToken)
        ?? throw RequestException.NotFound($"The manifest of {backup.StorageKey} does not exist in the store.");

    public Task<Manifest> ReadManifestAsync(Stream json, CancellationToken cancellationToken) =>
        ManifestReader.ReadAsync(json, (_, _) => { }, cancellationToken);

    public async Task DeleteAsync(Deletion deletion, CancellationToken cancellationToken)
    {
        await fence.DemandAsync(cancellationToken);
        await store.DeleteAsync(deletion.StorageKey, cancellationToken);
    }
}
