using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Backends;

/// <summary>Backups in the object store: objects with a manifest beside them.</summary>
internal sealed class ObjectBackend(BackupStore store, ObjectDownloads downloads, StoreFence fence) : IBackupBackend
{
    /// <summary>A manifest of 6 TiB in parts of 16 MiB. A client reads a larger backup in one request.</summary>
    private const int MaxManifestSize = 128 * 1024 * 1024;

    public Task SendAsync(HttpContext context, SnapshotInfo backup) => downloads.SendAsync(context, backup);

    public async Task<byte[]> ReadManifestAsync(SnapshotInfo backup, CancellationToken cancellationToken)
    {
        var key = StorageKey.ManifestOf(backup.StorageKey);
        if (await store.Objects.FindAsync(key, cancellationToken) is not { Size: <= MaxManifestSize } facts)
            throw RequestException.NotFound(
                $"The manifest of {backup.StorageKey} does not exist in the store, or is too large."
            );
        var json = new byte[facts.Size];
        await store.Objects.ReadAsync(key, 0, json, cancellationToken);
        return json;
    }

    public Manifest ParseManifest(byte[] json) => Manifest.Parse(json);

    public async Task DeleteAsync(Deletion deletion, CancellationToken cancellationToken)
    {
        await fence.DemandAsync(cancellationToken);
        await store.DeleteAsync(deletion.StorageKey, cancellationToken);
    }
}
