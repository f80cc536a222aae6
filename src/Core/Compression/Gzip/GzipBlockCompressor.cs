using ZfsSnapshotManager.Core.Compression.Blocks;

namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>Compresses a block into a gzip member; a block that does not shrink is stored in it.</summary>
public sealed class GzipBlockCompressor(Deflater deflater) : BlockCompressor
{
    public override int MaxSize(int length) => GzipMember.MaxSize(length);

    protected override int CompressBlock(ReadOnlySpan<byte> block, Span<byte> destination)
    {
        // No more room than a stored block needs: a block that would grow beyond that does not fit.
        var room = destination[GzipMember.HeaderSize..MaxSize(block.Length)];
        var deflated = EntropySample.IsNoise(block) ? 0 : deflater.Deflate(block, room);
        if (deflated == 0)
            return GzipMember.Store(block, destination);
        var size = GzipMember.HeaderSize + deflated;
        GzipMember.WriteHeader(destination, size, block.Length);
        return size;
    }

    protected override bool IsReadable(ReadOnlySpan<byte> stored, int length) =>
        GzipMember.TryReadHeader(stored, out var header) && header == new BlockHeader(stored.Length, length);
}
