using System.Buffers.Binary;

namespace ZfsSnapshotManager.SendStream.Records;

/// <summary>
/// The fields of an OBJECT record. One object (dnode) is created or changed. Source: OpenZFS include/sys/zfs_ioctl.h,
/// struct drr_object.
/// </summary>
public readonly ref struct ObjectRecord
{
    private readonly ReadOnlySpan<byte> _fields;

    internal ObjectRecord(ReadOnlySpan<byte> fields) => _fields = fields;

    /// <summary>Number of the object.</summary>
    public ulong Object => BinaryPrimitives.ReadUInt64LittleEndian(_fields);

    /// <summary>Type of the object.</summary>
    public DmuObjectType ObjectType => (DmuObjectType)BinaryPrimitives.ReadUInt32LittleEndian(_fields[8..]);

    /// <summary>Type of its bonus buffer.</summary>
    public DmuObjectType BonusType => (DmuObjectType)BinaryPrimitives.ReadUInt32LittleEndian(_fields[12..]);

    /// <summary>Bytes of a data block: 512 to 16 MiB, a multiple of 512.</summary>
    public uint BlockSize => BinaryPrimitives.ReadUInt32LittleEndian(_fields[16..]);

    /// <summary>Bytes of the bonus buffer: up to 16,192.</summary>
    public uint BonusLength => BinaryPrimitives.ReadUInt32LittleEndian(_fields[20..]);

    /// <summary>How its blocks are checksummed on disk.</summary>
    public ZioChecksum ChecksumType => (ZioChecksum)_fields[24];

    /// <summary>How its blocks are compressed on disk.</summary>
    public ZioCompression CompressionType => (ZioCompression)_fields[25];

    /// <summary>
    /// Slots of 512 bytes that the dnode occupies: 1 to 32; 0, from senders without large dnodes, means 1.
    /// </summary>
    public byte DnodeSlots => _fields[26];

    /// <summary>DRR_RAW_BYTESWAP (2), DRR_OBJECT_SPILL (4).</summary>
    public byte Flags => _fields[27];

    /// <summary>Raw streams: bytes of the bonus area as encrypted, padding included; 0 in others.</summary>
    public uint RawBonusLength => BinaryPrimitives.ReadUInt32LittleEndian(_fields[28..]);

    /// <summary>GUID of the snapshot.</summary>
    public ulong SnapshotGuid => BinaryPrimitives.ReadUInt64LittleEndian(_fields[32..]);

    /// <summary>Raw streams: bytes of an indirect block, as a power of two; 0 in others.</summary>
    public byte IndirectBlockShift => _fields[40];

    /// <summary>Raw streams: levels of block pointers; 0 in others.</summary>
    public byte Levels => _fields[41];

    /// <summary>Raw streams: block pointers in the dnode; 0 in others.</summary>
    public byte BlockPointers => _fields[42];

    /// <summary>Raw streams: number of the last block; 0 in others.</summary>
    public ulong MaxBlockId => BinaryPrimitives.ReadUInt64LittleEndian(_fields[48..]);

    /// <summary>
    /// Whether the object has a spill block (DRR_OBJECT_SPILL); meaningful if BEGIN has DRR_FLAG_SPILL_BLOCK.
    /// </summary>
    public bool HasSpill => (Flags & 4) != 0;

    /// <summary>
    /// Bytes that follow: the raw bonus length if it is not 0, otherwise the bonus length rounded up to a multiple of
    /// 8.
    /// </summary>
    public long PayloadLength => RawBonusLength != 0 ? RawBonusLength : (BonusLength + 7L) & ~7L;
}
