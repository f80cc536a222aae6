using ZfsSnapshotManager.Core.Compression.Gzip;
using ZfsSnapshotManager.Core.Compression.Zstd;

namespace ZfsSnapshotManager.Core.Compression;

/// <summary>
/// Decompresses blocks that <see cref="BlockCompressor"/> made, and proves all of each. For one thread at a time.
/// </summary>
public abstract class BlockDecompressor : IDisposable
{
    /// <summary>Bytes from which <see cref="TryReadHeader"/> can tell.</summary>
    public static int HeaderSize(CompressionFormat format) =>
        format switch
        {
            CompressionFormat.Gzip => GzipMember.HeaderSize,
            CompressionFormat.Zstd => ZstdFrame.HeaderSize,
            _ => 0,
        };

    /// <summary>
    /// Whether a block of ours begins here, and how long it is. Nobody has proved that it tells the truth; it cannot be
    /// far from it.
    /// </summary>
    /// <param name="format">The format.</param>
    /// <param name="start">The first <see cref="HeaderSize"/> bytes or more.</param>
    /// <param name="header">Sizes that such a block can have.</param>
    /// <exception cref="OperationException">It is a block of ours with impossible sizes
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

    /// <param name="stored">One whole block and nothing else.</param>
    /// <param name="destination">As long as the header says that the block is.</param>
    /// <exception cref="OperationException">The block is damaged (<see cref="ExitCode.Damaged"/>).</exception>
    public void Decompress(ReadOnlySpan<byte> stored, Span<byte> destination)
    {
        var fault = FindSizeFault(stored, destination.Length) ?? DecompressBlock(stored, destination);
        if (fault is not null)
            throw Damaged(fault);
    }

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    internal static OperationException Damaged(string fault) =>
        new(ExitCode.Damaged, $"A compressed block is damaged: {fault}.");

    protected abstract CompressionFormat Format { get; }

    /// <summary>Says what is wrong, or null if all of it is right.</summary>
    protected abstract string? DecompressBlock(ReadOnlySpan<byte> stored, Span<byte> destination);

    protected virtual void Dispose(bool disposing)
    {
        // What has something to release overrides this.
    }

    private string? FindSizeFault(ReadOnlySpan<byte> stored, int length)
    {
        if (stored.Length < HeaderSize(Format) || !TryReadHeader(Format, stored, out var header))
            return "its header is not that of a block";
        return header.StoredSize == stored.Length && header.UnpackedSize == length
            ? null
            : "it is not as long as its header says";
    }
}
