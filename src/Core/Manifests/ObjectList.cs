namespace ZfsSnapshotManager.Core.Manifests;

/// <summary>
/// Adds up the parts and objects that a manifest lists, and finds what contradicts them or the manifest: one set of
/// rules for reader and writer. Each method returns the fault, or null. Not thread-safe.
/// </summary>
internal sealed class ObjectList : IDisposable
{
    /// <summary>In S3 an object has 10,000 parts; its keys have at most 1,024 bytes.</summary>
    private const int MaxObjects = 65_536;

    private const int MaxKey = 4096;

    private readonly PartsDigest _digest = new();
    private readonly List<StoredObject> _objects = [];

    // Of the object whose parts are being added.
    private long _bytes;
    private int _parts;

    /// <summary>The complete objects, in order.</summary>
    public IReadOnlyList<StoredObject> Objects => _objects;

    /// <summary>Adds a part to the object that is not complete yet.</summary>
    public string? Add(StoredPart part)
    {
        if (part.Size is <= 0 or > StoredPart.MaxSize)
            return $"a part of object {_objects.Count + 1} has an impossible size";
        if (_digest.Count == Manifest.MaxParts)
            return $"it lists more than {Manifest.MaxParts} parts";
        if (!_digest.TryAdd(part.Sha256))
            return $"part {_digest.Count + 1} has no SHA-256";
        _bytes += part.Size;
        _parts++;
        return null;
    }

    /// <summary>Completes the object whose parts were added.</summary>
    public string? EndObject(string? key, long? size)
    {
        if (key is null || size is null || _parts == 0)
            return $"object {_objects.Count + 1} lacks key, size or parts";
        if (_objects.Count == MaxObjects)
            return $"it lists more than {MaxObjects} objects";
        if (key.Length > MaxKey)
            return $"the key of object {_objects.Count + 1} is longer than {MaxKey} characters";
        var first = _objects.Count == 0 ? key : _objects[0].Key;
        if (key != StoredObject.KeyOf(first, _objects.Count))
            return $"the key of object {_objects.Count + 1} is {key}";
        if (_bytes != size)
            return $"the parts of {key} do not add up to its size";
        _objects.Add(new StoredObject { Key = key, Size = _bytes });
        (_bytes, _parts) = (0, 0);
        return null;
    }

    /// <summary>Compares everything that was added with what the manifest says.</summary>
    public string? Compare(Manifest manifest)
    {
        if (_objects.Count == 0)
            return "objects is empty";
        if (_objects.Sum(stored => stored.Size) != manifest.StoredBytes)
            return "the objects do not add up to stored_bytes";
        return _digest.ToHex() == manifest.PartsSha256 ? null : "the parts do not have parts_sha256";
    }

    public void Dispose() => _digest.Dispose();
}
