namespace ZfsSnapshotManager.Core.Compression;

/// <summary>How a stored stream is compressed. Each is the format of a standard tool.</summary>
public enum CompressionFormat
{
    /// <summary>The plain stream.</summary>
    None,

    /// <summary>RFC 1952, one member or several one after another, as <c>gunzip</c> reads them.</summary>
    Gzip,

    /// <summary>RFC 8878, one frame or several one after another, as <c>zstd -d</c> reads them.</summary>
    Zstd,
}

public static class CompressionFormats
{
    /// <summary>The bytes that <see cref="Detect"/> needs.</summary>
    public const int DetectionSize = 4;

    private static readonly byte[] GzipMagic = [0x1f, 0x8b];
    private static readonly byte[] ZstdMagic = [0x28, 0xb5, 0x2f, 0xfd];

    /// <summary>Name in the API and in manifests.</summary>
    public static string ApiName(this CompressionFormat format) =>
        format switch
        {
            CompressionFormat.Gzip => "gzip",
            CompressionFormat.Zstd => "zstd",
            _ => "none",
        };

    /// <summary>Extension of an object's key.</summary>
    public static string Extension(this CompressionFormat format) =>
        format switch
        {
            CompressionFormat.Gzip => ".zfs.gz",
            CompressionFormat.Zstd => ".zfs.zst",
            _ => ".zfs",
        };

    /// <summary>Content type of a stored stream in HTTP.</summary>
    public static string ContentType(this CompressionFormat format) =>
        format switch
        {
            CompressionFormat.Gzip => "application/gzip",
            CompressionFormat.Zstd => "application/zstd",
            _ => "application/octet-stream",
        };

    public static bool TryParse(string? name, out CompressionFormat format)
    {
        (format, var known) = name switch
        {
            "none" => (CompressionFormat.None, true),
            "gzip" => (CompressionFormat.Gzip, true),
            "zstd" => (CompressionFormat.Zstd, true),
            _ => (CompressionFormat.None, false),
        };
        return known;
    }

    /// <summary>
    /// Detects the format by its first bytes. A send stream starts with four zero bytes (the type of its BEGIN record).
    /// </summary>
    /// <param name="start">The first <see cref="DetectionSize"/> bytes, or all if there are fewer.</param>
    public static CompressionFormat Detect(ReadOnlySpan<byte> start)
    {
        if (start.StartsWith(GzipMagic))
            return CompressionFormat.Gzip;
        return start.StartsWith(ZstdMagic) || IsSkippableZstd(start) ? CompressionFormat.Zstd : CompressionFormat.None;
    }

    /// <summary>Skippable frames have sixteen magic numbers, 0x184D2A50 and up.</summary>
    private static bool IsSkippableZstd(ReadOnlySpan<byte> start) =>
        start.Length >= 4 && (start[0] & 0xf0) == 0x50 && start[1] == 0x2a && start[2] == 0x4d && start[3] == 0x18;
}
