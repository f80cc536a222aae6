namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>Deflates a block in one call. For one thread at a time.</summary>
public abstract class Deflater
{
    /// <summary>Uses ISA-L if it is installed, otherwise the framework.</summary>
    /// <param name="level">0 to 3.</param>
    public static Deflater Create(int level) =>
        IsalLibrary.Current is { } isal ? new IsalDeflater(isal, level) : new FrameworkDeflater(level);

    /// <summary>Writes deflate data and gzip's trailer.</summary>
    /// <returns>Their size, or 0 if they do not fit.</returns>
    public abstract int Deflate(ReadOnlySpan<byte> block, Span<byte> destination);
}
