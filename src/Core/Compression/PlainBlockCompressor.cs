namespace ZfsSnapshotManager.Core.Compression;

/// <summary>For streams that are stored as they are: a block is its own bytes.</summary>
internal sealed class PlainBlockCompressor : BlockCompressor
{
    public override int MaxSize(int length) => length;

    protected override int CompressBlock(ReadOnlySpan<byte> block, Span<byte> destination)
    {
        block.CopyTo(destination);
        return block.Length;
    }
}
