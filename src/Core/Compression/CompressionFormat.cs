namespace ZfsSnapshotManager.Core.Compression;

/// <summary>How a stored stream is compressed. Each is a standard tool's format.</summary>
public enum CompressionFormat
{
    /// <summary>The plain stream.</summary>
    None,

    /// <summary>RFC 1952, one member or several one after another, as <c>gunzip</c> takes them.</summary>
    Gzip,
}

public static class CompressionFormats
{
    private static readonly byte[] GzipMagic = [0x1f, 0x8b];

    /// <summary>Name in the API and in manifests.</summary>
    public static string ApiName(this CompressionFormat format) => format switch
    {
        CompressionFormat.Gzip => "gzip",
        _ => "none",
    };

    /// <summary>Extension of an object's key.</summary>
    public static string Extension(this CompressionFormat format) => format switch
    {
        CompressionFormat.Gzip => ".zfs.gz",
        _ => ".zfs",
    };

    public static bool TryParse(string? name, out CompressionFormat format)
    {
        format = name == "gzip" ? CompressionFormat.Gzip : CompressionFormat.None;
        return name is "gzip" or "none";
    }

    /// <summary>Tells the format by its first bytes; a send stream itself starts with four zero bytes (its BEGIN record's type).</summary>
    public static CompressionFormat Detect(ReadOnlySpan<byte> start) => start.StartsWith(GzipMagic) ? CompressionFormat.Gzip : CompressionFormat.None;
}
