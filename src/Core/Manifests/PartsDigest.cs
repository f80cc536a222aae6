using System.Buffers;
using System.Security.Cryptography;

namespace ZfsSnapshotManager.Core.Manifests;

/// <summary>
/// SHA-256 of the parts' SHA-256 (32 bytes each), one after another: it identifies the stored bytes of a backup. Takes
/// the parts one by one, in order, so that it needs no list of them. Not thread-safe.
/// </summary>
public sealed class PartsDigest : IDisposable
{
    private readonly IncrementalHash _sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>How many parts were added.</summary>
    public int Count { get; private set; }

    /// <returns>The 32 bytes of a SHA-256 in hex; null if it is not one.</returns>
    public static byte[]? Parse(string? hex)
    {
        var digest = new byte[SHA256.HashSizeInBytes];
        return
            hex is not null
            && Convert.FromHexString(hex, digest, out _, out var written) == OperationStatus.Done
            && written == digest.Length
            ? digest
            : null;
    }

    /// <param name="sha256">32 bytes.</param>
    public void Add(ReadOnlySpan<byte> sha256)
    {
        if (sha256.Length != SHA256.HashSizeInBytes)
            throw new ArgumentException($"a SHA-256 has {SHA256.HashSizeInBytes} bytes", nameof(sha256));
        _sha256.AppendData(sha256);
        Count++;
    }

    /// <summary>Adds a digest in hex.</summary>
    /// <returns>False if it is not one; then nothing is added.</returns>
    public bool TryAdd(string? hex)
    {
        if (Parse(hex) is not { } digest)
            return false;
        Add(digest);
        return true;
    }

    /// <summary>The digest of the parts so far; lower-case hex.</summary>
    public string ToHex() => Convert.ToHexStringLower(_sha256.GetCurrentHash());

    public void Dispose() => _sha256.Dispose();
}
