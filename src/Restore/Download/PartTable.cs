using System.Buffers.Binary;
using System.Text.Json;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// The parts of a backup in 12 bytes each. They form groups of equally many consecutive parts, of which at most 16,384
/// exist: for each group the table has one digest of all its parts, and the state of the stream after it. In a backup
/// with fewer parts than that (128 GiB in parts of 8 MiB) each part is a group.
/// </summary>
/// <param name="key">The key of the backup's first object.</param>
internal sealed class PartTable(string key)
{
    private const int PageEntries = 4096;

    private readonly List<Entry[]> _pages = [];
    private readonly List<long> _pageOffsets = [];
    private readonly List<(int FirstPart, long Offset)> _objects = [];
    private readonly List<(byte[] Digest, string? State)> _groups = [];
    private readonly DigestTree _digests = new();
    private string? _lastState;

    public int Count { get; private set; }

    /// <summary>Stored bytes of all parts.</summary>
    public long Bytes { get; private set; }

    /// <summary>Bytes of the largest part.</summary>
    public int LargestPart { get; private set; }

    /// <summary>How many parts a group has; the last one may have fewer.</summary>
    public int GroupSize { get; private set; } = 1;

    public int GroupCount => _groups.Count;

    /// <summary>
    /// Whether the stream can be entered after each group. It cannot if the parts are not cut at record boundaries, or
    /// if the records are in an order in which ZFS does not send them: then a record's position cannot be derived.
    /// </summary>
    public bool HasStates { get; private set; }

    /// <summary>Appends a part.</summary>
    /// <param name="objectIndex">The number of its object, from 0.</param>
    /// <param name="part">The part.</param>
    /// <exception cref="JsonException">It has no digest.</exception>
    public void Add(int objectIndex, StoredPart part)
    {
        var digest = PartsDigest.Parse(part.Sha256) ?? throw new JsonException($"part {Count + 1} has no SHA-256");
        if (_objects.Count == objectIndex)
            _objects.Add((Count, Bytes));
        if (Count % PageEntries == 0)
        {
            _pages.Add(new Entry[PageEntries]);
            _pageOffsets.Add(Bytes);
        }

        _pages[^1][Count % PageEntries] = new Entry(part.Size, digest);
        Count++;
        Bytes += part.Size;
        LargestPart = Math.Max(LargestPart, part.Size);
        _lastState = part.State;
        _digests.Add(digest);
        if (Count % GroupSize == 0)
            _groups.Add((_digests.Finish(), _lastState));
        if (_groups.Count == PartGroups.Max)
            JoinGroups();
    }

    /// <summary>Ends the table after the last part.</summary>
    public void Complete()
    {
        if (!_digests.IsEmpty)
            _groups.Add((_digests.Finish(), _lastState));
        HasStates =
            _groups.TrueForAll(group => ParserState.TryParse(group.State, out _))
            && StateAfterGroup(GroupCount - 1) is { Phase: StreamPhase.End, FollowsSendOrder: true };
    }

    /// <summary>The state of the stream after a group. Requires <see cref="HasStates"/>.</summary>
    public ParserState StateAfterGroup(int group) =>
        ParserState.TryParse(_groups[group].State, out var state)
            ? state
            : throw new InvalidOperationException("The state was parsed before.");

    /// <summary>The offset of a group's first part, in bytes; for the number after the last, that of the end.</summary>
    public long OffsetOfGroup(int group) => OffsetOf(Math.Min(group * GroupSize, Count));

    /// <summary>All parts, in order.</summary>
    public IEnumerable<BackupPart> AllParts() => PartsOf(0, GroupCount - 1);

    /// <summary>The parts of consecutive groups, in order.</summary>
    public IEnumerable<BackupPart> PartsOf(int firstGroup, int lastGroup)
    {
        var first = firstGroup * GroupSize;
        var end = Math.Min((lastGroup + 1) * GroupSize, Count);
        var offset = OffsetOf(first);
        var stored = _objects.FindLastIndex(candidate => candidate.FirstPart <= first);
        for (var index = first; index < end; index++)
        {
            if (stored + 1 < _objects.Count && index == _objects[stored + 1].FirstPart)
                stored++;
            var entry = _pages[index / PageEntries][index % PageEntries];
            var isLastOfGroup = (index + 1) % GroupSize == 0 || index == Count - 1;
            yield return new BackupPart(
                StoredObject.KeyOf(key, stored),
                offset - _objects[stored].Offset,
                offset,
                entry.Size,
                entry.DigestStart,
                isLastOfGroup ? _groups[index / GroupSize].Digest : null
            );
            offset += entry.Size;
        }
    }

    private long OffsetOf(int part)
    {
        if (part == Count)
            return Bytes;
        var page = part / PageEntries;
        return _pageOffsets[page] + _pages[page].Take(part % PageEntries).Sum(entry => (long)entry.Size);
    }

    /// <summary>Makes half as many groups, each of twice as many parts.</summary>
    private void JoinGroups()
    {
        for (var index = 0; index < PartGroups.Max / 2; index++)
        {
            var (left, right) = (_groups[index * 2], _groups[(index * 2) + 1]);
            _groups[index] = (DigestTree.Join(left.Digest, right.Digest), right.State);
        }

        _groups.RemoveRange(PartGroups.Max / 2, PartGroups.Max / 2);
        GroupSize *= 2;
    }

    /// <summary>Three fields of four bytes: a field of eight would make it sixteen bytes long.</summary>
    private readonly struct Entry(int size, ReadOnlySpan<byte> digest)
    {
        private readonly uint _high = BinaryPrimitives.ReadUInt32BigEndian(digest);
        private readonly uint _low = BinaryPrimitives.ReadUInt32BigEndian(digest[4..]);

        public readonly int Size = size;

        public ulong DigestStart => ((ulong)_high << 32) | _low;
    }
}
