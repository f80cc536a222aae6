using System.Buffers.Binary;
using ZfsSnapshotManager.Core.Compression.Blocks;

namespace ZfsSnapshotManager.Core.Compression.Zstd;

/// <summary>
/// The two frames (RFC 8878) of a block: a skippable one with the sizes of the block, so that a reader can skip from
/// block to block without decompressing, and one with the block.
/// </summary>
internal static class ZstdFrame
{
    /// <summary>Bytes of the skippable frame: magic, length, two sizes.</summary>
    public const int HeaderSize = 16;

    private const uint SkippableMagic = 0x184D2A5A;
    private const int ContentSize = 8;

    /// <summary>Magic, frame header, the header of one block, its one byte, the checksum.</summary>
    private const int MinFrameSize = 4 + 2 + 3 + 1 + 4;

    /// <summary>The most bytes that one of zstd's own blocks decompresses to.</summary>
    private const int MaxExpansion = 128 * 1024;

    /// <summary>The fewest bytes of one of zstd's own blocks.</summary>
    private const int MinPieceSize = 4;

    public static int MaxSize(int length) => HeaderSize + (int)ZstdLibrary.CompressBound((nuint)length);

    public static void WriteHeader(Span<byte> block, int frameSize, int length)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(block, SkippableMagic);
        BinaryPrimitives.WriteInt32LittleEndian(block[4..], ContentSize);
        BinaryPrimitives.WriteInt32LittleEndian(block[8..], frameSize);
        BinaryPrimitives.WriteInt32LittleEndian(block[12..], length);
    }

    /// <exception cref="OperationException">It is the header of a block of ours, and damaged.</exception>
    public static bool TryReadHeader(ReadOnlySpan<byte> start, out BlockHeader header)
    {
        header = default;
        if (start.Length < HeaderSize || BinaryPrimitives.ReadUInt32LittleEndian(start) != SkippableMagic)
            return false;

        // A wrong byte in the length could make a decompressor skip the blocks that follow. No other program is known
        // to use this magic number.
        if (BinaryPrimitives.ReadInt32LittleEndian(start[4..]) != ContentSize)
            throw BlockDecompressor.Damaged("its header is not as long as a block's");
        var size = BinaryPrimitives.ReadUInt32LittleEndian(start[8..]);
        var length = BinaryPrimitives.ReadUInt32LittleEndian(start[12..]);
        if (
            length is 0 or > BlockCompressor.MaxBlockSize
            || size > MaxSize((int)length) - HeaderSize
            || size < MinFrameSize
            || size / MinPieceSize * (long)MaxExpansion < length
        )
            throw BlockDecompressor.Damaged($"{size} bytes cannot hold {length}");
        header = new BlockHeader(HeaderSize + (int)size, (int)length);
        return true;
    }
}
