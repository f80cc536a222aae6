using System.Buffers;
using System.Security.Cryptography;
using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// The position, size and digest of a backup's parts: all that a reader needs of a manifest, in 40 bytes a part.
/// </summary>
internal sealed class BackupLayout
{
    private readonly string[] _keys;
    private readonly long[] _objectStarts;
    private readonly long[] _starts; // of each part in the backup, and the backup's end
    private readonly byte[]? _digests; // null if unknown

    private BackupLayout(string[] keys, long[] objectStarts, long[] starts, byte[]? digests) =>
        (_keys, _objectStarts, _starts, _digests) = (keys, objectStarts, starts, digests);

    /// <summary>Length of the backup in bytes.</summary>
    public long Length => _starts[^1];

    public int PartCount => _starts.Length - 1;

    /// <summary>In order, with their sizes in bytes.</summary>
    public IEnumerable<(string Key, long Size)> Objects =>
        _keys.Select(
            (key, index) => (key, (index + 1 < _keys.Length ? _objectStarts[index + 1] : Length) - _objectStarts[index])
        );

    /// <exception cref="StorageException"><see cref="StorageFault.Damaged"/>: a digest is malformed.</exception>
    public static BackupLayout Of(IReadOnlyList<StoredObject> objects)
    {
        List<long> objectStarts = [],
            starts = [];
        var end = 0L;
        foreach (var stored in objects)
        {
            objectStarts.Add(end);
            foreach (var part in stored.Parts)
            {
                starts.Add(end);
                end += part.Size;
            }
        }

        starts.Add(end);
        // The read side of what a commit promises: parts lie one behind the other, and their sizes are the object's.
        Invariant.Require(
            objects.Sum(stored => stored.Size) == end,
            "the parts of a backup add up to the size of its objects"
        );
        return new BackupLayout(
            [.. objects.Select(stored => stored.Key)],
            [.. objectStarts],
            [.. starts],
            DigestsOf(objects, starts.Count - 1)
        );
    }

    /// <param name="index">From 0.</param>
    public PartLocation PartAt(int index)
    {
        var stored = IndexOf(_objectStarts, _starts[index]);
        return new PartLocation(
            _keys[stored],
            _starts[index] - _objectStarts[stored],
            _starts[index],
            (int)(_starts[index + 1] - _starts[index])
        );
    }

    /// <summary>The part that contains a position before the end.</summary>
    public int IndexOf(long position) => IndexOf(_starts.AsSpan(0, PartCount), position);

    /// <summary>
    /// The actual and expected digest if they differ; null if they match or none is known.
    /// </summary>
    public (string Is, string Should)? FindDifference(int index, ReadOnlySpan<byte> content)
    {
        if (_digests is null)
            return null;
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(content, digest);
        var right = _digests.AsSpan(index * digest.Length, digest.Length);
        return digest.SequenceEqual(right) ? null : (Convert.ToHexStringLower(digest), Convert.ToHexStringLower(right));
    }

    private static byte[]? DigestsOf(IReadOnlyList<StoredObject> objects, int count)
    {
        if (objects.SelectMany(stored => stored.Parts).Any(part => part.Sha256 is null))
            return null;
        var digests = new byte[count * SHA256.HashSizeInBytes];
        var left = digests.AsSpan();
        foreach (var stored in objects)
        {
            foreach (var part in stored.Parts)
            {
                if (
                    part.Sha256 is not { Length: 2 * SHA256.HashSizeInBytes } sha256
                    || Convert.FromHexString(sha256, left, out _, out _) != OperationStatus.Done
                )
                {
                    throw new StorageException(
                        StorageFault.Damaged,
                        $"The manifest of {objects[0].Key} has '{part.Sha256}' as the SHA-256 of a part."
                    );
                }

                left = left[SHA256.HashSizeInBytes..];
            }
        }

        return digests;
    }

    private static int IndexOf(ReadOnlySpan<long> starts, long position)
    {
        var found = starts.BinarySearch(position);
        return found >= 0 ? found : ~found - 1;
    }
}

/// <param name="Key">The object.</param>
/// <param name="Offset">Offset of the part in the object.</param>
/// <param name="Start">Offset of the part in the backup.</param>
/// <param name="Size">In bytes.</param>
internal readonly record struct PartLocation(string Key, long Offset, long Start, int Size)
{
    public bool Holds(long position) => position >= Start && position < Start + Size;
}
