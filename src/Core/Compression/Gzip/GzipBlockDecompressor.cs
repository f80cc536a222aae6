using ZfsSnapshotManager.Core.Compression.Blocks;

namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>Decompresses a block that is a gzip member.</summary>
public sealed class GzipBlockDecompressor(Inflater inflater) : BlockDecompressor
{
    protected override bool TryReadHeader(ReadOnlySpan<byte> start, out BlockHeader header) =>
        GzipMember.TryReadHeader(start, out header);

    protected override string? DecompressBlock(ReadOnlySpan<byte> stored, Span<byte> destination) =>
        inflater.Inflate(stored[GzipMember.HeaderSize..], destination);
}
