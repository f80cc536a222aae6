using System.Text.Json;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// Backups in an object store: their objects, and the manifest beside the first object that makes them a backup.
/// </summary>
internal sealed class BackupStore(IObjectStore store, PartBuffers buffers)
{
    /// <summary>
    /// A manifest has about 330 bytes for each part with its state: enough for 6 TiB in parts of 8 MiB, or 12 TiB in
    /// parts of 16 MiB.
    /// </summary>
    private const int MaxManifestSize = 256 * 1024 * 1024;

    public IObjectStore Objects => store;

    /// <summary>The most stored bytes that one part of an upload may have.</summary>
    public int MaxPartSize => store.PartSize + StoredPart.MaxBlockSize;

    /// <summary>Opens a writer for a backup's objects.</summary>
    public BackupWriter Create(string key, string uploadId) => new(store, buffers, key, uploadId);

    /// <summary>Reads a backup's stored bytes; each part is verified.</summary>
    public BackupStream OpenRead(Manifest manifest) => new(store, buffers, manifest.Objects);

    /// <summary>Reads a backup by a layout that was made from its manifest before.</summary>
    public BackupStream OpenRead(BackupLayout layout) => new(store, buffers, layout);

    /// <summary>Reads a backup whose manifest is lost: parts are not verified.</summary>
    /// <param name="objects">Its objects with their sizes, in order.</param>
    public BackupStream OpenUnchecked(IEnumerable<(string Key, long Size)> objects) =>
        new(store, buffers, [.. objects.Select(stored => StoredObject.Of(stored.Key, UnknownPartsOf(stored.Size)))]);

    /// <summary>True if the key or its manifest's exists.</summary>
    public async Task<bool> ExistsAsync(string key, CancellationToken cancellationToken) =>
        await store.FindAsync(key, cancellationToken) is not null
        || await store.FindAsync(StorageKey.ManifestOf(key), cancellationToken) is not null;

    /// <exception cref="StorageException"><see cref="StorageFault.Exists"/>: another upload's manifest
    /// exists.</exception>
    public Task WriteManifestAsync(string key, Manifest manifest, CancellationToken cancellationToken) =>
        store.PutNewAsync(
            StorageKey.ManifestOf(key),
            manifest.ToJson(),
            manifest.UploadId,
            ObjectKind.Manifest,
            cancellationToken
        );

    /// <returns>Null if none exists.</returns>
    /// <exception cref="StorageException"><see cref="StorageFault.Damaged"/>: the content is not a
    /// manifest.</exception>
    public async Task<Manifest?> ReadManifestAsync(string key, CancellationToken cancellationToken)
    {
        if (await store.FindAsync(StorageKey.ManifestOf(key), cancellationToken) is not { } facts)
            return null;
        return await ReadManifestAsync(key, facts.Size, cancellationToken);
    }

    /// <summary>Reads a manifest that was listed.</summary>
    /// <param name="key">The backup's.</param>
    /// <param name="size">The manifest's, in bytes.</param>
    /// <exception cref="StorageException"><see cref="StorageFault.Damaged"/>: the content is not a manifest.
    /// <see cref="StorageFault.Missing"/>: it no longer exists.</exception>
    public async Task<Manifest> ReadManifestAsync(string key, long size, CancellationToken cancellationToken)
    {
        var name = StorageKey.ManifestOf(key);
        if (size > MaxManifestSize)
            throw new StorageException(
                StorageFault.Damaged,
                $"The manifest {name} has {size} bytes, over the limit of {MaxManifestSize}."
            );
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
    /// Removes a backup: the manifest first, since objects without one are not a backup, then the objects from last to
    /// first, so that an interrupted removal can be recognized by the first object.
    /// </summary>
    /// <exception cref="StorageException"><see cref="StorageFault.Locked"/>: nothing was removed.</exception>
    public async Task DeleteAsync(string key, CancellationToken cancellationToken)
    {
        await store.DeleteAsync(StorageKey.ManifestOf(key), cancellationToken);
        var count = 1;
        while (await store.FindAsync(StoredObject.KeyOf(key, count), cancellationToken) is not null)
            count++;
        for (var index = count - 1; index >= 0; index--)
            await store.DeleteAsync(StoredObject.KeyOf(key, index), cancellationToken);
    }

    /// <summary>The stored bytes of a backup's objects, by their names.</summary>
    public async Task<long> MeasureAsync(string key, CancellationToken cancellationToken)
    {
        var size = 0L;
        for (
            var index = 0;
            await store.FindAsync(StoredObject.KeyOf(key, index), cancellationToken) is { } found;
            index++
        )
            size += found.Size;
        return size;
    }

    /// <summary>Locks a backup's objects for as long as the store is set to.</summary>
    /// <returns>Until when all of them are locked, as the store says; null if one is not.</returns>
    public async Task<DateTimeOffset?> LockAsync(
        IReadOnlyList<StoredObject> objects,
        CancellationToken cancellationToken
    )
    {
        if (store.LockedUntil is not { } until)
            return null;
        DateTimeOffset? all = DateTimeOffset.MaxValue;
        foreach (var stored in objects)
        {
            var locked = await store.LockAsync(stored.Key, until, cancellationToken);
            all = locked < all ? locked : all;
            if (locked is null)
                return null;
        }

        return all;
    }

    private List<StoredPart> UnknownPartsOf(long size)
    {
        List<StoredPart> parts = [];
        for (var left = size; left > 0; left -= store.PartSize)
            parts.Add(new StoredPart { Size = (int)Math.Min(left, store.PartSize), Sha256 = null });
        return parts;
    }
}
