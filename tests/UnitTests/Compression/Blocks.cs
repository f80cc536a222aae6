using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Compression.Blocks;
using ZfsSnapshotManager.Core.Compression.Gzip;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.UnitTests.Compression;

/// <summary>Blocks for tests, and compressors and decompressors: each format, gzip by both of its engines.</summary>
internal static class Blocks
{
    public const string FrameworkGzip = "gzip by the framework";

    public static TheoryData<string> Engines => ["gzip", FrameworkGzip, "zstd"];

    public static CompressionFormat FormatOf(string engine) =>
        engine == "zstd" ? CompressionFormat.Zstd : CompressionFormat.Gzip;

    public static BlockCompressor Compressor(string engine, int? level = null) =>
        engine == FrameworkGzip
            ? new GzipBlockCompressor(new FrameworkDeflater(level ?? 1))
            : BlockCompression.Create(FormatOf(engine), level);

    public static BlockDecompressor Decompressor(string engine) =>
        engine == FrameworkGzip
            ? new GzipBlockDecompressor(new FrameworkInflater())
            : BlockCompression.CreateDecompressor(FormatOf(engine));

    public static byte[] Compress(this BlockCompressor compressor, byte[] block)
    {
        var room = new byte[compressor.MaxSize(block.Length)];
        return room[..compressor.Compress(block, room)];
    }

    public static byte[] Decompress(this BlockDecompressor decompressor, CompressionFormat format, byte[] stored)
    {
        Assert.True(BlockCompression.TryReadHeader(format, stored, out var header));
        Assert.Equal(stored.Length, header.StoredSize);
        var block = new byte[header.UnpackedSize];
        decompressor.Decompress(stored, block);
        return block;
    }

    /// <summary>The bytes as blocks of a given size.</summary>
    public static byte[] Compress(string engine, byte[] bytes, int blockSize)
    {
        using var compressor = Compressor(engine);
        return [.. bytes.Chunk(blockSize).SelectMany(compressor.Compress)];
    }

    /// <summary>Bytes like those of files: some repeat, some are text, some are noise.</summary>
    public static byte[] Mixed(int size, int seed)
    {
        var random = new Random(seed);
        var bytes = new byte[size];
        for (var start = 0; start < size; )
        {
            var piece = bytes.AsSpan(start, Math.Min(size - start, random.Next(1, 40_000)));
            switch (random.Next(4))
            {
                case 0:
                    random.NextBytes(piece);
                    break;
                case 1:
                    piece.Fill((byte)random.Next(256));
                    break;
                case 2:
                    random.GetItems("etaoin shrdlu\n"u8, piece);
                    break;
                default:
                    bytes.AsSpan(random.Next(start + 1), Math.Min(piece.Length, start) / 2).CopyTo(piece);
                    break;
            }

            start += piece.Length;
        }

        return bytes;
    }

    public static byte[] Of(string kind, int size) =>
        kind switch
        {
            "zeros" => new byte[size],
            "noise" => StreamBuilder.Noise(size, 7),
            _ => Mixed(size, 7),
        };
}
