namespace ZfsSnapshotManager.Core.Compression;

/// <summary>
/// Compresses blocks, each for itself: a run of whole records becomes a gzip member or a zstd frame that says how long
/// it is. Blocks one after another are what the standard tools read. For one thread at a time.
/// </summary>
public abstract class BlockCompressor : IDisposable
{
    /// <summary>The most bytes a block of <paramref name="length"/> bytes can take when it is stored.</summary>
    public abstract int MaxSize(int length);

    /// <summary>Writes the stored block and returns its size.</summary>
    /// <param name="block">From 1 byte to <see cref="BlockCompression.MaxBlockSize"/>.</param>
    /// <param name="destination">Has room for <see cref="MaxSize"/>.</param>
    public int Compress(ReadOnlySpan<byte> block, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfZero(block.Length, nameof(block));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(block.Length, BlockCompression.MaxBlockSize, nameof(block));
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, MaxSize(block.Length), nameof(destination));
        return CompressBlock(block, destination);
    }

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected abstract int CompressBlock(ReadOnlySpan<byte> block, Span<byte> destination);

    protected virtual void Dispose(bool disposing)
    {
        // What has something to release overrides this.
    }
}
