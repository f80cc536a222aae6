namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>Inflates a block at once. For one thread at a time.</summary>
public abstract class Inflater
{
    /// <summary>By ISA-L where it is installed, else by the framework.</summary>
    public static Inflater Create() =>
        IsalLibrary.Current is { } isal ? new IsalInflater(isal) : new FrameworkInflater();

    /// <summary>
    /// Says what is wrong with the data, or null if all of them and the trailer are right and fill the destination.
    /// </summary>
    /// <param name="deflated">Deflate data and gzip's trailer.</param>
    /// <param name="destination">As long as what comes out.</param>
    public abstract string? Inflate(ReadOnlySpan<byte> deflated, Span<byte> destination);
}
