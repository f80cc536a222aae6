using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Compression.Blocks;
using ZfsSnapshotManager.Core.Compression.Gzip;
using ZfsSnapshotManager.Core.Compression.Zstd;

namespace ZfsSnapshotManager.UnitTests.Compression;

/// <summary>The sizes in a block's header are accepted exactly if a block can have them.</summary>
public sealed class BlockHeaderTests
{
    /// <summary>
    /// 2^32 / 1032 bytes, and what is just above a multiple of it: in 32 bits the most that they decompress to wraps
    /// around to nearly nothing. Of 4 MiB records that are hardly compressible, one in a thousand has such a size.
    /// </summary>
    [Theory]
    [InlineData(4_161_824, 4 * 1024 * 1024)]
    [InlineData(4_161_952, 4_161_600)]
    [InlineData(8_323_613, 8 * 1024 * 1024)]
    [InlineData(16_647_194, 16 * 1024 * 1024)]
    public void A_gzip_block_of_any_size_is_read(int size, int length) =>
        Assert.True(Accepts(CompressionFormat.Gzip, size, length));

    [Theory]
    [InlineData(CompressionFormat.Gzip)]
    [InlineData(CompressionFormat.Zstd)]
    public void Any_size_is_accepted_that_a_block_can_have_and_no_other(CompressionFormat format)
    {
        var random = RandomTest.Random();
        for (var i = 0; i < RandomTest.Count(20_000, 2_000_000); i++)
        {
            var length = 1 + (int)(BlockCompressor.MaxBlockSize * Math.Pow(random.NextDouble(), 3));
            var most = MaxSize(format, length);
            var size = random.Next(3) switch
            {
                0 => random.Next(1, most + 1),
                1 => most - random.Next(0, 4),
                _ => length / (format == CompressionFormat.Gzip ? 1032 : 32 * 1024) + random.Next(1, 60),
            };
            var isPossible = size <= most && length <= MostFrom(format, size);
            Assert.True(
                isPossible == Accepts(format, size, length),
                $"{format}: {size} bytes of {length} are {(isPossible ? "possible" : "impossible")}"
            );
        }
    }

    private static int MaxSize(CompressionFormat format, int length) =>
        format == CompressionFormat.Gzip ? GzipMember.MaxSize(length) : ZstdFrame.MaxSize(length);

    /// <summary>
    /// What the bytes of a block decompress to at most: deflate has 258 bytes in 2 bits, zstd 128 KiB in a block of
    /// 4 bytes.
    /// </summary>
    private static decimal MostFrom(CompressionFormat format, int size)
    {
        if (format == CompressionFormat.Gzip)
            return Math.Max(0, size - 32m) * 1032;
        return size - 16 < 14 ? 0 : decimal.Floor((size - 16m) / 4) * 128 * 1024;
    }

    private static bool Accepts(CompressionFormat format, int size, int length)
    {
        Span<byte> header = stackalloc byte[GzipMember.HeaderSize];
        if (format == CompressionFormat.Gzip)
            GzipMember.WriteHeader(header, size, length);
        else
            ZstdFrame.WriteHeader(header, size - ZstdFrame.HeaderSize, length);
        try
        {
            return BlockCompression.TryReadHeader(format, header, out var read)
                && read == new BlockHeader(size, length);
        }
        catch (OperationException e) when (e.ExitCode == ExitCode.Damaged)
        {
            return false;
        }
    }
}
