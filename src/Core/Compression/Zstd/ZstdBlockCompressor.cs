using ZfsSnapshotManager.Core.Compression.Blocks;

namespace ZfsSnapshotManager.Core.Compression.Zstd;

/// <summary>
/// Compresses a block into a zstd frame with its size and checksum, with a skippable frame before it.
/// </summary>
internal sealed class ZstdBlockCompressor : BlockCompressor
{
    /// <summary>For data that do not shrink: libzstd notices at once, and stores them.</summary>
    private const int NoiseLevel = -7;

    private readonly ZstdContext _context = ZstdContext.ForCompression();
    private readonly int _level;

    public ZstdBlockCompressor(int level)
    {
        _level = level;
        Check(ZstdLibrary.SetParameter(_context.Pointer, ZstdLibrary.ChecksumFlag, 1));
    }

    public override int MaxSize(int length) => ZstdFrame.MaxSize(length);

    protected override unsafe int CompressBlock(ReadOnlySpan<byte> block, Span<byte> destination)
    {
        Check(
            ZstdLibrary.SetParameter(
                _context.Pointer,
                ZstdLibrary.CompressionLevel,
                EntropySample.IsNoise(block) ? NoiseLevel : _level
            )
        );
        var room = destination[ZstdFrame.HeaderSize..];
        fixed (
            byte* source = block,
                target = room
        )
        {
            var size = (int)Check(
                ZstdLibrary.Compress(_context.Pointer, target, (nuint)room.Length, source, (nuint)block.Length)
            );
            ZstdFrame.WriteHeader(destination, size, block.Length);
            return ZstdFrame.HeaderSize + size;
        }
    }

    protected override bool IsReadable(ReadOnlySpan<byte> stored, int length) =>
        ZstdFrame.TryReadHeader(stored, out var header) && header == new BlockHeader(stored.Length, length);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _context.Dispose();
        base.Dispose(disposing);
    }

    private static nuint Check(nuint result) =>
        ZstdLibrary.IsError(result) == 0
            ? result
            : throw new InvalidOperationException($"libzstd cannot compress: {ZstdLibrary.NameOf(result)}.");
}
