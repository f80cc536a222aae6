namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>A block becomes a gzip member; what does not shrink is stored in it.</summary>
public sealed class GzipBlockCompressor(Deflater deflater) : BlockCompressor
{
    public override int MaxSize(int length) => GzipMember.MaxSize(length);

    protected override int CompressBlock(ReadOnlySpan<byte> block, Span<byte> destination)
    {
        // No more room than storing takes: what would grow beyond that does not fit.
        var room = destination[GzipMember.HeaderSize..MaxSize(block.Length)];
        var deflated = EntropySample.IsNoise(block) ? 0 : deflater.Deflate(block, room);
        if (deflated == 0)
            return GzipMember.Store(block, destination);
        var size = GzipMember.HeaderSize + deflated;
        GzipMember.WriteHeader(destination, size, block.Length);
        return size;
    }
}
