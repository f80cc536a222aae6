namespace ZfsSnapshotManager.Core.Compression;

/// <summary>Levels of a format, from the fastest to the smallest.</summary>
/// <param name="Minimum">The fastest.</param>
/// <param name="Maximum">The one that makes the smallest blocks.</param>
/// <param name="Default">The level if none is chosen.</param>
public readonly record struct CompressionLevels(int Minimum, int Maximum, int Default)
{
    /// <summary>
    /// gzip has the levels of ISA-L; zstd has its own, except those whose window exceeds 8 MiB.
    /// </summary>
    public static CompressionLevels Of(CompressionFormat format) =>
        format switch
        {
            CompressionFormat.Gzip => new(0, 3, 1),
            CompressionFormat.Zstd => new(1, 19, 1),
            _ => default,
        };
}
