using ZfsSnapshotManager.Core.Compression.Blocks;
using ZfsSnapshotManager.Core.Compression.Gzip;
using ZfsSnapshotManager.Core.Compression.Zstd;

namespace ZfsSnapshotManager.Core.Compression;

/// <summary>
/// Creates compressors and decompressors of blocks, and reads headers of blocks. Each thread needs its own compressor
/// and decompressor.
/// </summary>
public static class BlockCompression
{
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

    /// <summary>The bytes that <see cref="TryReadHeader"/> needs.</summary>
    public static int HeaderSize(CompressionFormat format) =>
        format switch
        {
            CompressionFormat.Gzip => GzipMember.HeaderSize,
            CompressionFormat.Zstd => ZstdFrame.HeaderSize,
            _ => 0,
        };

    /// <summary>
    /// Reads the header of a block of ours. The sizes are not verified yet, but a block can have them.
    /// </summary>
    /// <param name="format">The format.</param>
    /// <param name="start">The first <see cref="HeaderSize"/> bytes or more.</param>
    /// <param name="header">The sizes of the block.</param>
    /// <returns>False if no block of ours begins here.</returns>
    /// <exception cref="OperationException">It is a block of ours, with impossible sizes
    /// (<see cref="ExitCode.Damaged"/>).</exception>
    public static bool TryReadHeader(CompressionFormat format, ReadOnlySpan<byte> start, out BlockHeader header)
    {
        header = default;
        return format switch
        {
            CompressionFormat.Gzip => GzipMember.TryReadHeader(start, out header),
            CompressionFormat.Zstd => ZstdFrame.TryReadHeader(start, out header),
            _ => false,
        };
    }
}
