using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.UnitTests.Transfer;

/// <summary>Decompresses stored objects that may be damaged.</summary>
internal static class Decompressing
{
    /// <summary>The output is a prefix of the correct bytes, and all of them if no damage is reported.</summary>
    public static async Task<bool> IsDamagedAsync(byte[] stored, CompressionFormat format, byte[]? bytes)
    {
        await using var reader = new StoredBytesReader(new Trickle(stored), digest: false);
        await using var stream = new DecompressedStream(reader, format);
        var unpacked = new MemoryStream();
        try
        {
            await stream.CopyToAsync(unpacked, TestContext.Current.CancellationToken);
        }
        catch (OperationException e) when (e.ExitCode == ExitCode.Damaged)
        {
            return true;
        }

        if (bytes is not null && !bytes.AsSpan().SequenceEqual(unpacked.ToArray()))
            throw new InvalidOperationException("wrong bytes were given out as right");
        return false;
    }
}
