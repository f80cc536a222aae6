using System.Buffers.Binary;

namespace ZfsSnapshotManager.SendStream.Records;

/// <summary>
/// The fields of a SPILL record. The spill block of an object. Source: OpenZFS include/sys/zfs_ioctl.h, struct
/// drr_spill.
/// </summary>
public readonly ref struct SpillRecord
{
    /// <summary>DRR_SPILL_UNMODIFIED.</summary>
    internal const byte UnmodifiedFlag = 1 << 2;

    private readonly ReadOnlySpan<byte> _fields;

    internal SpillRecord(ReadOnlySpan<byte> fields) => _fields = fields;

    /// <summary>Number of the object.</summary>
    public ulong Object => BinaryPrimitives.ReadUInt64LittleEndian(_fields);

    /// <summary>Bytes of the block when it is unpacked: 512 to 16 MiB.</summary>
    public ulong Length => BinaryPrimitives.ReadUInt64LittleEndian(_fields[8..]);

    /// <summary>GUID of the snapshot.</summary>
    public ulong SnapshotGuid => BinaryPrimitives.ReadUInt64LittleEndian(_fields[16..]);

    /// <summary>DRR_RAW_BYTESWAP (2), DRR_SPILL_UNMODIFIED (4).</summary>
    public byte Flags => _fields[24];

    /// <summary>Raw streams: how the payload is compressed.</summary>
    public ZioCompression CompressionType => (ZioCompression)_fields[25];

    /// <summary>Raw streams: bytes of the payload; 0 in others.</summary>
    public ulong CompressedSize => BinaryPrimitives.ReadUInt64LittleEndian(_fields[32..]);

    /// <summary>Raw streams: salt of the block.</summary>
    public ReadOnlySpan<byte> Salt => _fields.Slice(40, 8);

    /// <summary>Raw streams: initialization vector of the block.</summary>
    public ReadOnlySpan<byte> InitializationVector => _fields.Slice(48, 12);

    /// <summary>Raw streams: message authentication code of the block.</summary>
    public ReadOnlySpan<byte> MessageAuthenticationCode => _fields.Slice(60, 16);

    /// <summary>Raw streams: type of the object.</summary>
    public DmuObjectType ObjectType => (DmuObjectType)BinaryPrimitives.ReadUInt32LittleEndian(_fields[76..]);

    /// <summary>Whether the block is the one the receiver already has (DRR_SPILL_UNMODIFIED).</summary>
    public bool IsUnmodified => (Flags & UnmodifiedFlag) != 0;

    /// <summary>
    /// Bytes that follow: <see cref="CompressedSize"/> if it is not 0, otherwise <see cref="Length"/>.
    /// </summary>
    public ulong StoredSize => CompressedSize != 0 ? CompressedSize : Length;
}
