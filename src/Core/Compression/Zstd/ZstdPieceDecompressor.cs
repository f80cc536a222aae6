using ZfsSnapshotManager.Core.Compression.Blocks;

namespace ZfsSnapshotManager.Core.Compression.Zstd;

/// <summary>
/// Decompresses zstd frames piece by piece, and skips skippable ones.
/// </summary>
internal sealed unsafe class ZstdPieceDecompressor : PieceDecompressor
{
    private readonly ZstdContext _context = ZstdContext.ForDecompression();

    /// <param name="maxWindow">The largest window that is accepted, as a power of two; for <c>zstd -d</c> 27.</param>
    public ZstdPieceDecompressor(int maxWindow)
    {
        var result = ZstdLibrary.SetDecompressorParameter(_context.Pointer, ZstdLibrary.MaxWindow, maxWindow);
        if (ZstdLibrary.IsError(result) != 0)
            throw new InvalidOperationException($"zstd says {ZstdLibrary.NameOf(result)}");
    }

    /// <summary>The first byte of the magic of frames, and of skippable frames.</summary>
    public override bool CanBegin(byte first) => first == 0x28 || (first & 0xf0) == 0x50;

    public override void Begin()
    {
        // libzstd is ready for the next frame after the end of one.
    }

    public override DecompressedPiece Continue(ReadOnlySpan<byte> input, Span<byte> output)
    {
        fixed (
            byte* from = input,
                to = output
        )
        {
            var source = new ZstdBuffer { Start = from, Size = (nuint)input.Length };
            var target = new ZstdBuffer { Start = to, Size = (nuint)output.Length };
            var result = ZstdLibrary.Decompress(_context.Pointer, ref target, ref source);
            if (ZstdLibrary.IsError(result) != 0)
                throw new InvalidDataException($"zstd says {ZstdLibrary.NameOf(result)}");
            return new DecompressedPiece((int)source.Position, (int)target.Position, result == 0);
        }
    }

    public override void Dispose() => _context.Dispose();
}
