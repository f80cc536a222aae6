namespace ZfsSnapshotManager.Core.Compression.Blocks;

/// <summary>
/// Decompresses blocks that <see cref="BlockCompressor"/> made, and verifies each by its checksum. For one thread at a
/// time.
/// </summary>
public abstract class BlockDecompressor : IDisposable
{
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

    /// <summary>Reads the header of a block of the format.</summary>
    /// <returns>False if no block begins here, or not all of its header is given.</returns>
    /// <exception cref="OperationException">It is a header, and damaged.</exception>
    protected abstract bool TryReadHeader(ReadOnlySpan<byte> start, out BlockHeader header);

    /// <returns>The fault, or null if the block is complete and valid.</returns>
    protected abstract string? DecompressBlock(ReadOnlySpan<byte> stored, Span<byte> destination);

    protected virtual void Dispose(bool disposing)
    {
        // Classes that hold resources override this.
    }

    private string? FindSizeFault(ReadOnlySpan<byte> stored, int length)
    {
        if (!TryReadHeader(stored, out var header))
            return "its header is not that of a block";
        return header.StoredSize == stored.Length && header.UnpackedSize == length
            ? null
            : "it is not as long as its header says";
    }
}
