using ZfsSnapshotManager.Core.Compression.Gzip;
using ZfsSnapshotManager.Core.Compression.Zstd;

namespace ZfsSnapshotManager.Core.Compression;

/// <summary>Describes the libraries with which this machine compresses.</summary>
public static class CompressionEngine
{
    public static string Describe(CompressionFormat format) =>
        format switch
        {
            CompressionFormat.Gzip when IsalLibrary.Current is { } isal => $"gzip by {isal.Name}",
            CompressionFormat.Gzip =>
                "gzip by the framework's zlib: install libisal2 for a quarter of the processor time",
            CompressionFormat.Zstd => $"zstd {ZstdLibrary.Version}",
            _ => "no compression",
        };
}
