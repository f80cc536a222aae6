using System.Text.Json;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// Backups in an object store: their objects, and the manifest beside the first object that makes them a backup.
/// </summary>
internal sealed class BackupStore(IObjectStore store, PartBuffers buffers)
{
    public IObjectStore Objects => store;

    /// <summary>The most stored bytes that one part of an upload may have.</summary>
    public int MaxPartSize => store.PartSize + StoredPart.MaxBlockSize;

    /// <summary>Opens a writer for a backup's objects.</summary>
    public BackupWriter Create(string key, string uploadId) => new(store, buffers, key, uploadId);

    /// <summary>Reads a backup's stored bytes; each part is verified.</summary>
    public BackupStream OpenRead(BackupLayout layout) => new(store, buffers, layout);

    /// <summary>Reads a backup whose manifest is lost: parts are not verified.</summary>
    /// <param name="objects">Its objects with their sizes, in order.</param>
    public BackupStream OpenUnchecked(IReadOnlyList<StoredObject> objects) =>
        new(store, buffers, BackupLayout.Of(objects, objects.SelectMany(stored => UnknownPartsOf(stored.Size))));

    /// <summary>True if the key or its manifest's exists.</summary>
    public async Task<bool> ExistsAsync(string key, CancellationToken cancellationToken) =>
        await store.FindAsync(key, cancellationToken) is not null
        || await store.FindAsync(StorageKey.ManifestOf(key), cancellationToken) is not null;

    /// <summary>What is stored under a key: the manifest, and the first object.</summary>
    /// <exception cref="StorageException"><see cref="StorageFault.Damaged"/>: the manifest is not one.</exception>
    public async Task<(Manifest? Manifest, ObjectFacts? First)> FindAsync(
        string key,
        CancellationToken cancellationToken
    ) => (await ReadManifestAsync(key, cancellationToken), await store.FindAsync(key, cancellationToken));

    /// <summary>Whether what <see cref="FindAsync"/> returned belongs to another upload.</summary>
    public static bool IsOfAnother(string uploadId, Manifest? manifest, ObjectFacts? first) =>
        (manifest is not null && manifest.UploadId != uploadId)
        || (first?.UploadId is { } writer && writer != uploadId);

    /// <param name="parts">Those of all objects, in order.</param>
    /// <exception cref="StorageException"><see cref="StorageFault.Exists"/>: another upload's manifest
    /// exists.</exception>
    public async Task WriteManifestAsync(
        string key,
        Manifest manifest,
        IReadOnlyCollection<StoredPart> parts,
        CancellationToken cancellationToken
    )
    {
        await using var written = new GrowingObject(
            store,
            StorageKey.ManifestOf(key),
            manifest.UploadId,
            ObjectKind.Manifest
        );
        await ManifestWriter.WriteAsync(manifest, parts, written.WriteAsync, cancellationToken);
        await written.CompleteAsync(cancellationToken);
    }

    /// <summary>Opens a backup's manifest as it is stored.</summary>
    /// <returns>Null if none exists.</returns>
    public async Task<ObjectStream?> OpenManifestAsync(string key, CancellationToken cancellationToken)
    {
        var name = StorageKey.ManifestOf(key);
        return await store.FindAsync(name, cancellationToken) is { } facts
            ? new ObjectStream(store, name, facts.Size)
            : null;
    }

    /// <summary>Reads a backup's manifest.</summary>
    /// <returns>Null if none exists.</returns>
    /// <exception cref="StorageException"><see cref="StorageFault.Damaged"/>: the content is not a
    /// manifest.</exception>
    public async Task<Manifest?> ReadManifestAsync(string key, CancellationToken cancellationToken)
    {
        await using var json = await OpenManifestAsync(key, cancellationToken);
        if (json is null)
            return null;
        return await ReadManifestAsync(key, json, _ => { }, cancellationToken);
    }

    /// <summary>Reads a manifest that was listed.</summary>
    /// <param name="key">The backup's.</param>
    /// <param name="size">The manifest's, in bytes.</param>
    /// <exception cref="StorageException"><see cref="StorageFault.Damaged"/>: the content is not a manifest.
    /// <see cref="StorageFault.Missing"/>: it no longer exists.</exception>
    public async Task<Manifest> ReadManifestAsync(string key, long size, CancellationToken cancellationToken)
    {
        await using var json = new ObjectStream(store, StorageKey.ManifestOf(key), size);
        return await ReadManifestAsync(key, json, _ => { }, cancellationToken);
    }

    /// <summary>Reads a backup's manifest and where its parts are.</summary>
    /// <inheritdoc cref="ReadManifestAsync(string, CancellationToken)"/>
    public async Task<(Manifest Manifest, BackupLayout Layout)?> ReadLayoutAsync(
        string key,
        CancellationToken cancellationToken
    )
    {
        await using var json = await OpenManifestAsync(key, cancellationToken);
        if (json is null)
            return null;
        var layout = new BackupLayout.Builder();
        var manifest = await ReadManifestAsync(key, json, layout.Add, cancellationToken);
        return (manifest, layout.Complete(manifest.Objects));
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

    private static async Task<Manifest> ReadManifestAsync(
        string key,
        ObjectStream json,
        Action<StoredPart> onPart,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await ManifestReader.ReadAsync(json, (_, part) => onPart(part), cancellationToken);
        }
        catch (JsonException e)
        {
            throw new StorageException(
                StorageFault.Damaged,
                $"{StorageKey.ManifestOf(key)} is not a manifest: {JsonFault.Describe(e)}.",
                e
            );
        }
    }

    private IEnumerable<StoredPart> UnknownPartsOf(long size)
    {
        for (var left = size; left > 0; left -= store.PartSize)
            yield return new StoredPart { Size = (int)Math.Min(left, store.PartSize), Sha256 = null };
    }
}
