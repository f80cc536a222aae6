using System.Text.Json;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// Backups in an object store: their objects, and the manifest beside the first of them that makes them one.
/// </summary>
internal sealed class BackupStore(IObjectStore store, PartBuffers buffers)
{
    /// <summary>
    /// A manifest has some hundred bytes for each part of 16 MiB; this is enough for 10 TiB and more.
    /// </summary>
    private const int MaxManifestSize = 256 * 1024 * 1024;

    public IObjectStore Objects => store;

    /// <summary>The most stored bytes that one part of an upload may have.</summary>
    public int MaxPartSize => store.PartSize + StoredPart.MaxBlockSize;

    public static string ManifestKeyOf(string key) => key + ".manifest.json";

    /// <summary>Begins a backup's objects.</summary>
    public BackupWriter Create(string key, string uploadId) => new(store, buffers, key, uploadId);

    /// <summary>Reads a backup's stored bytes, each part checked.</summary>
    public BackupStream OpenRead(Manifest manifest) => new(store, buffers, manifest.Objects);

    /// <summary>Reads a backup by a layout that was made of its manifest before.</summary>
    public BackupStream OpenRead(BackupLayout layout) => new(store, buffers, layout);

    /// <summary>Reads a backup whose manifest is lost: what comes is not checked part by part.</summary>
    /// <param name="objects">Its objects with their sizes, in order.</param>
    public BackupStream OpenUnchecked(IEnumerable<(string Key, long Size)> objects) =>
        new(store, buffers, [.. objects.Select(stored => StoredObject.Of(stored.Key, UnknownPartsOf(stored.Size)))]);

    /// <summary>True where the key, or its manifest's, is taken.</summary>
    public async Task<bool> ExistsAsync(string key, CancellationToken cancellationToken) =>
        await store.FindAsync(key, cancellationToken) is not null
        || await store.FindAsync(ManifestKeyOf(key), cancellationToken) is not null;

    /// <exception cref="StorageException"><see cref="StorageFault.Exists"/>: another upload's is there.</exception>
    public Task WriteManifestAsync(string key, Manifest manifest, CancellationToken cancellationToken) =>
        store.PutNewAsync(
            ManifestKeyOf(key),
            manifest.ToJson(),
            manifest.UploadId,
            ObjectKind.Manifest,
            cancellationToken
        );

    /// <returns>Null where there is none.</returns>
    /// <exception cref="StorageException"><see cref="StorageFault.Damaged"/>: what is there is not a
    /// manifest.</exception>
    public async Task<Manifest?> ReadManifestAsync(string key, CancellationToken cancellationToken)
    {
        if (await store.FindAsync(ManifestKeyOf(key), cancellationToken) is not { } facts)
            return null;
        return await ReadManifestAsync(key, facts.Size, cancellationToken);
    }

    /// <summary>Reads a manifest that was listed.</summary>
    /// <param name="key">The backup's.</param>
    /// <param name="size">The manifest's, in bytes.</param>
    /// <exception cref="StorageException"><see cref="StorageFault.Damaged"/>: what is there is not a manifest.
    /// <see cref="StorageFault.Missing"/>: it is gone.</exception>
    public async Task<Manifest> ReadManifestAsync(string key, long size, CancellationToken cancellationToken)
    {
        var name = ManifestKeyOf(key);
        if (size > MaxManifestSize)
            throw new StorageException(StorageFault.Damaged, $"{name} has {size} bytes: no manifest is so large.");
        var json = new byte[size];
        await store.ReadAsync(name, 0, json, cancellationToken);
        try
        {
            return Manifest.Parse(json);
        }
        catch (JsonException e)
        {
            throw new StorageException(StorageFault.Damaged, $"{name} is not a manifest: {JsonFault.Describe(e)}.", e);
        }
    }

    /// <summary>
    /// Removes a backup: the manifest first, since objects without one are not a backup, then the objects from the last
    /// to the first, so that what is cut off in the middle can be seen by the first.
    /// </summary>
    /// <exception cref="StorageException"><see cref="StorageFault.Locked"/>: nothing was removed.</exception>
    public async Task DeleteAsync(string key, CancellationToken cancellationToken)
    {
        await store.DeleteAsync(ManifestKeyOf(key), cancellationToken);
        var count = 1;
        while (await store.FindAsync(StoredObject.KeyOf(key, count), cancellationToken) is not null)
            count++;
        for (var index = count - 1; index >= 0; index--)
            await store.DeleteAsync(StoredObject.KeyOf(key, index), cancellationToken);
    }

    private List<StoredPart> UnknownPartsOf(long size)
    {
        List<StoredPart> parts = [];
        for (var left = size; left > 0; left -= store.PartSize)
            parts.Add(new StoredPart { Size = (int)Math.Min(left, store.PartSize), Sha256 = null });
        return parts;
    }
}
