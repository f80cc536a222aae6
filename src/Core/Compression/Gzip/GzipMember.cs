using System.Buffers.Binary;
using System.IO.Hashing;
using ZfsSnapshotManager.Core.Compression.Blocks;

namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>
/// The gzip member (RFC 1952) of a block. Its header has one extra field, named <c>ZS</c>, with the size of the whole
/// member and of the block, so that a reader can skip from member to member without decompressing.
/// </summary>
internal static class GzipMember
{
    /// <summary>
    /// 10 bytes of fixed header, 2 for the length of the extra fields, 4 for the field's own header, 8 for its content.
    /// </summary>
    public const int HeaderSize = 24;

    /// <summary>CRC-32 and length of the block.</summary>
    public const int TrailerSize = 8;

    /// <summary>Deflate encodes 258 bytes in 2 bits at best: no more than 1032 bytes come from one.</summary>
    private const int MaxExpansion = 1032;

    private const int StoredBlockSize = 65535;
    private const int StoredBlockHeader = 5;

    /// <summary>Where the extra field begins.</summary>
    private const int FieldOffset = 12;

    private const int ExtraSize = HeaderSize - FieldOffset;
    private const int FlagsOffset = 3;
    private const byte HasExtra = 4;

    /// <summary>
    /// Magic, deflate, FEXTRA, no time, no flags, unknown system; 12 bytes of extra fields; 'Z', 'S', 8 bytes.
    /// </summary>
    private static ReadOnlySpan<byte> Start =>
        [0x1f, 0x8b, 8, HasExtra, 0, 0, 0, 0, 0, 255, ExtraSize, 0, (byte)'Z', (byte)'S', 8, 0];

    /// <summary>The size of a block that is stored and not compressed: no block has more.</summary>
    public static int MaxSize(int length) =>
        HeaderSize + length + (length + StoredBlockSize - 1) / StoredBlockSize * StoredBlockHeader + TrailerSize;

    public static void WriteHeader(Span<byte> member, int size, int length)
    {
        Start.CopyTo(member);
        BinaryPrimitives.WriteInt32LittleEndian(member[16..], size);
        BinaryPrimitives.WriteInt32LittleEndian(member[20..], length);
    }

    /// <exception cref="OperationException">It is the header of a block of ours, and damaged.</exception>
    public static bool TryReadHeader(ReadOnlySpan<byte> start, out BlockHeader header)
    {
        header = default;
        if (
            start.Length < HeaderSize
            || !start[..FlagsOffset].SequenceEqual(Start[..FlagsOffset])
            || (start[FlagsOffset] & HasExtra) == 0
        )
            return false;
        if (!start[FieldOffset..Start.Length].SequenceEqual(Start[FieldOffset..]))
            return false;
        if (!start.StartsWith(Start))
            throw BlockDecompressor.Damaged("its header has a time, flags, a system or further extra fields");
        var size = BinaryPrimitives.ReadUInt32LittleEndian(start[16..]);
        var length = BinaryPrimitives.ReadUInt32LittleEndian(start[20..]);
        if (
            length is 0 or > BlockCompressor.MaxBlockSize
            || size > MaxSize((int)length)
            || size <= HeaderSize + TrailerSize
            || (size - HeaderSize - TrailerSize) * (long)MaxExpansion < length
        )
            throw BlockDecompressor.Damaged($"{size} bytes cannot hold {length}");
        header = new BlockHeader((int)size, (int)length);
        return true;
    }

    /// <summary>
    /// Whether extra fields begin like those of a block but have another length: then their length is damaged. A reader
    /// that trusted it would skip bytes up to the apparent end of the fields, which may be the data of a later block.
    /// </summary>
    /// <param name="start">The first 4 bytes of the extra fields, little-endian.</param>
    /// <param name="size">Bytes of all extra fields, by the header.</param>
    public static bool IsWrongExtra(uint start, int size) =>
        size != ExtraSize && start == BinaryPrimitives.ReadUInt32LittleEndian(Start[FieldOffset..]);

    /// <summary>Writes the block uncompressed, in deflate's stored blocks.</summary>
    /// <returns>The size of the member.</returns>
    public static int Store(ReadOnlySpan<byte> block, Span<byte> member)
    {
        var size = HeaderSize;
        for (var start = 0; start < block.Length; start += StoredBlockSize)
        {
            var piece = block[start..Math.Min(start + StoredBlockSize, block.Length)];
            member[size] = (byte)(start + piece.Length == block.Length ? 1 : 0);
            BinaryPrimitives.WriteUInt16LittleEndian(member[(size + 1)..], (ushort)piece.Length);
            BinaryPrimitives.WriteUInt16LittleEndian(member[(size + 3)..], unchecked((ushort)~piece.Length));
            piece.CopyTo(member[(size + StoredBlockHeader)..]);
            size += StoredBlockHeader + piece.Length;
        }

        WriteTrailer(member[size..], block);
        size += TrailerSize;
        WriteHeader(member, size, block.Length);
        return size;
    }

    public static void WriteTrailer(Span<byte> trailer, ReadOnlySpan<byte> block)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(trailer, Crc32.HashToUInt32(block));
        BinaryPrimitives.WriteInt32LittleEndian(trailer[4..], block.Length);
    }

    /// <summary>Returns the fault if the trailer does not fit the block, otherwise null.</summary>
    public static string? FindTrailerFault(ReadOnlySpan<byte> trailer, ReadOnlySpan<byte> block)
    {
        if (BinaryPrimitives.ReadInt32LittleEndian(trailer[4..]) != block.Length)
            return "its length is not the one at its end";
        return BinaryPrimitives.ReadUInt32LittleEndian(trailer) == Crc32.HashToUInt32(block)
            ? null
            : "its CRC is wrong";
    }
}
