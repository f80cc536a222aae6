using ZfsSnapshotManager.Core.Compression.Blocks;

namespace ZfsSnapshotManager.Core.Compression.Zstd;

/// <summary>Decompresses a block that is a zstd frame.</summary>
internal sealed class ZstdBlockDecompressor : BlockDecompressor
{
    /// <summary>Offset of the byte after the magic, which describes the frame.</summary>
    private const int DescriptorOffset = 4;

    /// <summary>The bit of the descriptor that says that the frame has a checksum.</summary>
    private const int HasChecksum = 4;

    private readonly ZstdContext _context = ZstdContext.ForDecompression();

    protected override bool TryReadHeader(ReadOnlySpan<byte> start, out BlockHeader header) =>
        ZstdFrame.TryReadHeader(start, out header);

    protected override unsafe string? DecompressBlock(ReadOnlySpan<byte> stored, Span<byte> destination)
    {
        var frame = stored[ZstdFrame.HeaderSize..];
        if ((frame[DescriptorOffset] & HasChecksum) == 0)
            return "it has no checksum";
        fixed (
            byte* source = frame,
                target = destination
        )
        {
            // libzstd would accept several frames; a block has exactly one, of the size that its header states.
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
