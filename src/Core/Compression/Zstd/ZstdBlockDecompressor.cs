namespace ZfsSnapshotManager.Core.Compression.Zstd;

/// <summary>A zstd frame becomes a block again.</summary>
internal sealed class ZstdBlockDecompressor : BlockDecompressor
{
    /// <summary>The byte after the magic describes the frame; this bit says that it has a check sum.</summary>
    private const int DescriptorOffset = 4;
    private const int HasChecksum = 4;

    private readonly ZstdContext _context = ZstdContext.ForDecompression();

    protected override CompressionFormat Format => CompressionFormat.Zstd;

    protected override unsafe string? DecompressBlock(ReadOnlySpan<byte> stored, Span<byte> destination)
    {
        var frame = stored[ZstdFrame.HeaderSize..];
        if ((frame[DescriptorOffset] & HasChecksum) == 0)
            return "it has no check sum";
        fixed (
            byte* source = frame,
                target = destination
        )
        {
            // libzstd takes several frames for one; a block has exactly one, and it is as long as the header says.
            if (
                ZstdLibrary.FindContentSize(source, (nuint)frame.Length) != (ulong)destination.Length
                || ZstdLibrary.FindFrameSize(source, (nuint)frame.Length) != (nuint)frame.Length
            )
                return "its frame is not as long as its header says";
            var size = ZstdLibrary.Decompress(
                _context.Pointer,
                target,
                (nuint)destination.Length,
                source,
                (nuint)frame.Length
            );
            if (ZstdLibrary.IsError(size) != 0)
                return $"zstd says {ZstdLibrary.NameOf(size)}";
            return size == (nuint)destination.Length ? null : "it is shorter than it says";
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _context.Dispose();
        base.Dispose(disposing);
    }
}
