using ZfsSnapshotManager.Core.Compression.Gzip;
using ZfsSnapshotManager.Core.Compression.Zstd;

namespace ZfsSnapshotManager.Core.Compression;

/// <summary>
/// Decompresses blocks that <see cref="BlockCompressor"/> made, and verifies each by its checksum. For one thread at a
/// time.
/// </summary>
public abstract class BlockDecompressor : IDisposable
{
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

    /// <param name="stored">One complete block and nothing else.</param>
    /// <param name="destination">As long as the decompressed block, by its header.</param>
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

    /// <returns>The fault, or null if the block is complete and valid.</returns>
    protected abstract string? DecompressBlock(ReadOnlySpan<byte> stored, Span<byte> destination);

    protected virtual void Dispose(bool disposing)
    {
        // Classes that hold resources override this.
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
