namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>Decompresses a block that is a gzip member.</summary>
public sealed class GzipBlockDecompressor(Inflater inflater) : BlockDecompressor
{
    protected override CompressionFormat Format => CompressionFormat.Gzip;

    protected override string? DecompressBlock(ReadOnlySpan<byte> stored, Span<byte> destination) =>
        inflater.Inflate(stored[GzipMember.HeaderSize..], destination);
}
