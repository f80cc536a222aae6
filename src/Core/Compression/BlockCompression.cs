using ZfsSnapshotManager.Core.Compression.Gzip;
using ZfsSnapshotManager.Core.Compression.Zstd;

namespace ZfsSnapshotManager.Core.Compression;

/// <summary>Creates compressors and decompressors of blocks. Each thread needs its own.</summary>
public static class BlockCompression
{
    /// <summary>In bytes. The largest record, of 16 MiB, fits several times.</summary>
    public const int MaxBlockSize = 128 * 1024 * 1024;

    /// <param name="format">The format.</param>
    /// <param name="level">In the range of <see cref="CompressionLevels.Of"/>; null: the default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The format has no such level.</exception>
    public static BlockCompressor Create(CompressionFormat format, int? level)
    {
        var levels = CompressionLevels.Of(format);
        var chosen = level ?? levels.Default;
        if (format == CompressionFormat.None)
            return new PlainBlockCompressor();
        ArgumentOutOfRangeException.ThrowIfLessThan(chosen, levels.Minimum, nameof(level));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(chosen, levels.Maximum, nameof(level));
        return format == CompressionFormat.Gzip
            ? new GzipBlockCompressor(Deflater.Create(chosen))
            : new ZstdBlockCompressor(chosen);
    }

    /// <param name="format">gzip or zstd: a plain stream has no blocks.</param>
    public static BlockDecompressor CreateDecompressor(CompressionFormat format) =>
        format switch
        {
            CompressionFormat.Gzip => new GzipBlockDecompressor(Inflater.Create()),
            CompressionFormat.Zstd => new ZstdBlockDecompressor(),
            _ => throw new ArgumentOutOfRangeException(nameof(format), format, "A plain stream has no blocks."),
        };
}
