namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>Inflates a block in one call. For one thread at a time.</summary>
public abstract class Inflater
{
    /// <summary>Uses ISA-L if it is installed, otherwise the framework.</summary>
    public static Inflater Create() =>
        IsalLibrary.Current is { } isal ? new IsalInflater(isal) : new FrameworkInflater();

    /// <summary>
    /// Returns the fault of the data, or null if they and the trailer are valid and fill the destination.
    /// </summary>
    /// <param name="deflated">Deflate data and gzip's trailer.</param>
    /// <param name="destination">As long as the inflated data.</param>
    public abstract string? Inflate(ReadOnlySpan<byte> deflated, Span<byte> destination);
}
