namespace ZfsSnapshotManager.Core.Compression.Blocks;

/// <summary>For streams that are stored uncompressed: a block is its own bytes, without a header.</summary>
internal sealed class PlainBlockCompressor : BlockCompressor
{
    public override int MaxSize(int length) => length;

    protected override int CompressBlock(ReadOnlySpan<byte> block, Span<byte> destination)
    {
        block.CopyTo(destination);
        return block.Length;
    }

    protected override bool IsReadable(ReadOnlySpan<byte> stored, int length) => stored.Length == length;
}
