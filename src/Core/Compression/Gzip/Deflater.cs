namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>Deflates a block at once. For one thread at a time.</summary>
public abstract class Deflater
{
    /// <summary>By ISA-L where it is installed, else by the framework.</summary>
    /// <param name="level">0 to 3.</param>
    public static Deflater Create(int level) =>
        IsalLibrary.Current is { } isal ? new IsalDeflater(isal, level) : new FrameworkDeflater(level);

    /// <summary>Writes deflate data and gzip's trailer; returns their size, or 0 where they do not fit.</summary>
    public abstract int Deflate(ReadOnlySpan<byte> block, Span<byte> destination);
}
