namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>
/// Fletcher-4 a second time, as simple as possible, so that the library is not tested against itself.
/// </summary>
internal sealed class PlainFletcher
{
    private readonly ulong[] _sums = new ulong[4];

    public void Add(ReadOnlySpan<byte> bytes)
    {
        for (var i = 0; i < bytes.Length; i += 4)
        {
            ulong next =
                bytes[i] + ((ulong)bytes[i + 1] << 8) + ((ulong)bytes[i + 2] << 16) + ((ulong)bytes[i + 3] << 24);
            for (var sum = 0; sum < 4; sum++)
                next = _sums[sum] = unchecked(_sums[sum] + next);
        }
    }

    public byte[] Bytes => [.. _sums.SelectMany(sum => Enumerable.Range(0, 8).Select(i => (byte)(sum >> (8 * i))))];

    public void Reset() => Array.Clear(_sums);
}
