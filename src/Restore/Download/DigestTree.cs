using System.Security.Cryptography;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// One digest of many, in little memory: pairs of digests are joined by SHA-256, pairs of these again, and so on. The
/// digest of two neighbouring groups of 2^n is therefore the join of theirs. Not thread-safe.
/// </summary>
internal sealed class DigestTree
{
    private readonly Stack<(int Level, byte[] Digest)> _unpaired = [];

    public bool IsEmpty => _unpaired.Count == 0;

    /// <param name="left">32 bytes.</param>
    /// <param name="right">32 bytes.</param>
    public static byte[] Join(byte[] left, byte[] right) => SHA256.HashData([.. left, .. right]);

    /// <param name="digest">32 bytes.</param>
    public void Add(byte[] digest)
    {
        var level = 0;
        while (_unpaired.TryPeek(out var left) && left.Level == level)
        {
            digest = Join(_unpaired.Pop().Digest, digest);
            level++;
        }

        _unpaired.Push((level, digest));
    }

    /// <summary>The digest of all that was added since the last call: of a single one, itself.</summary>
    /// <exception cref="InvalidOperationException">Nothing was added.</exception>
    public byte[] Finish()
    {
        var digest = _unpaired.Pop().Digest;
        while (_unpaired.TryPop(out var left))
            digest = Join(left.Digest, digest);
        return digest;
    }
}
