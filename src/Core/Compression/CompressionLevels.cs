namespace ZfsSnapshotManager.Core.Compression;

/// <summary>Levels of a format, from the fastest to the smallest.</summary>
/// <param name="Minimum">The fastest.</param>
/// <param name="Maximum">The one that makes the smallest blocks.</param>
/// <param name="Default">What is taken where nobody says anything.</param>
public readonly record struct CompressionLevels(int Minimum, int Maximum, int Default)
{
    /// <summary>
    /// gzip has those of ISA-L, zstd its own without the ones that take more than 8 MiB for a window.
    /// </summary>
    public static CompressionLevels Of(CompressionFormat format) =>
        format switch
        {
            CompressionFormat.Gzip => new(0, 3, 1),
            CompressionFormat.Zstd => new(1, 19, 1),
            _ => default,
        };
}
