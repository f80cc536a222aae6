namespace ZfsSnapshotManager.Core.Compression.Blocks;

/// <summary>
/// Compresses blocks independently: a run of complete records becomes a gzip member or a zstd frame that states its
/// size. The standard tools read such blocks one after another. For one thread at a time.
/// </summary>
public abstract class BlockCompressor : IDisposable
{
    /// <summary>In bytes. The largest record, of 16 MiB, fits several times.</summary>
    public const int MaxBlockSize = 128 * 1024 * 1024;

    /// <summary>The most bytes that a block of <paramref name="length"/> bytes can have when it is stored.</summary>
    public abstract int MaxSize(int length);

    /// <summary>Writes the stored block, and returns its size in bytes.</summary>
    /// <param name="block">From 1 byte to <see cref="MaxBlockSize"/>.</param>
    /// <param name="destination">Room for <see cref="MaxSize"/> bytes.</param>
    public int Compress(ReadOnlySpan<byte> block, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfZero(block.Length, nameof(block));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(block.Length, MaxBlockSize, nameof(block));
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, MaxSize(block.Length), nameof(destination));
        var size = CompressBlock(block, destination);
        // Pairs with TryReadHeader when the block is read: what is stored must be what a restore accepts.
        if (!IsReadable(destination[..size], block.Length))
            throw new InvalidOperationException($"The header of a block of {block.Length} bytes is not valid.");
        return size;
    }

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected abstract int CompressBlock(ReadOnlySpan<byte> block, Span<byte> destination);

    /// <summary>Whether the header of a stored block states its size and its length.</summary>
    protected abstract bool IsReadable(ReadOnlySpan<byte> stored, int length);

    protected virtual void Dispose(bool disposing)
    {
        // Classes that hold resources override this.
    }
}
