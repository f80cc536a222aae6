using System.Runtime.InteropServices;
using System.Security.Cryptography;
using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// The position, size and digest of a backup's parts: all that a reader needs of a manifest, in 40 bytes a part.
/// </summary>
internal sealed class BackupLayout
{
    private const int PartsOfPage = 1024;

    private readonly List<Page> _pages = [];
    private readonly List<long> _pageStarts = [];
    private string[] _keys = [];
    private long[] _objectStarts = [];
    private bool _hasDigests = true;

    private BackupLayout() { }

    /// <summary>Length of the backup in bytes.</summary>
    public long Length { get; private set; }

    public int PartCount { get; private set; }

    /// <summary>About how much memory it takes, in bytes; names and lists are the least of it.</summary>
    public long MemorySize => 1024 + (PartCount * (sizeof(long) + (long)SHA256.HashSizeInBytes));

    /// <summary>In order, with their sizes in bytes.</summary>
    public IEnumerable<(string Key, long Size)> Objects =>
        _keys.Select(
            (key, index) => (key, (index + 1 < _keys.Length ? _objectStarts[index + 1] : Length) - _objectStarts[index])
        );

    /// <param name="parts">Those of all objects, in order.</param>
    public static BackupLayout Of(IEnumerable<StoredObject> objects, IEnumerable<StoredPart> parts)
    {
        var builder = new Builder();
        foreach (var part in parts)
            builder.Add(part);
        return builder.Complete(objects);
    }

    /// <param name="index">From 0.</param>
    public PartLocation PartAt(int index)
    {
        var (start, end) = (StartOf(index), index + 1 == PartCount ? Length : StartOf(index + 1));
        var stored = IndexOf(_objectStarts, start);
        return new PartLocation(_keys[stored], start - _objectStarts[stored], start, (int)(end - start));
    }

    /// <summary>The part that contains a position before the end.</summary>
    public int IndexOf(long position)
    {
        var page = IndexOf(CollectionsMarshal.AsSpan(_pageStarts), position);
        return (page * PartsOfPage) + IndexOf(_pages[page].Starts, position);
    }

    /// <summary>
    /// The actual and expected digest if they differ; null if they match or none is known.
    /// </summary>
    public (string Is, string Should)? FindDifference(int index, ReadOnlySpan<byte> content)
    {
        if (!_hasDigests)
            return null;
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(content, digest);
        var right = _pages[index / PartsOfPage].DigestOf(index % PartsOfPage);
        return digest.SequenceEqual(right) ? null : (Convert.ToHexStringLower(digest), Convert.ToHexStringLower(right));
    }

    private long StartOf(int index) => _pages[index / PartsOfPage].Starts[index % PartsOfPage];

    private static int IndexOf(ReadOnlySpan<long> starts, long position)
    {
        var found = starts.BinarySearch(position);
        return found >= 0 ? found : ~found - 1;
    }

    /// <summary>Takes the parts one by one, as a manifest is read.</summary>
    internal sealed class Builder
    {
        private readonly BackupLayout _layout = new();

        public void Add(StoredPart part)
        {
            var index = _layout.PartCount % PartsOfPage;
            if (index == 0)
            {
                _layout._pages.Add(new Page());
                _layout._pageStarts.Add(_layout.Length);
            }

            var digest = PartsDigest.Parse(part.Sha256);
            _layout._hasDigests &= digest is not null;
            _layout._pages[^1].Add(_layout.Length, digest ?? new byte[SHA256.HashSizeInBytes]);
            _layout.Length += part.Size;
            _layout.PartCount++;
        }

        /// <param name="objects">Those that have the parts, in order.</param>
        public BackupLayout Complete(IEnumerable<StoredObject> objects)
        {
            List<string> keys = [];
            List<long> starts = [];
            var end = 0L;
            foreach (var stored in objects)
            {
                keys.Add(stored.Key);
                starts.Add(end);
                end += stored.Size;
            }

            // The read side of what a commit promises: parts lie one behind the other, and fill their objects.
            Invariant.Require(end == _layout.Length, "the parts of a backup add up to the size of its objects");
            (_layout._keys, _layout._objectStarts) = ([.. keys], [.. starts]);
            return _layout;
        }
    }

    private sealed class Page
    {
        private readonly List<long> _starts = [];
        private readonly List<byte> _digests = [];

        /// <summary>Of each part in the backup.</summary>
        public ReadOnlySpan<long> Starts => CollectionsMarshal.AsSpan(_starts);

        public void Add(long start, ReadOnlySpan<byte> digest)
        {
            _starts.Add(start);
            _digests.AddRange(digest);
        }

        public ReadOnlySpan<byte> DigestOf(int index) =>
            CollectionsMarshal.AsSpan(_digests).Slice(index * SHA256.HashSizeInBytes, SHA256.HashSizeInBytes);
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
