using System.Buffers.Binary;

namespace ZfsSnapshotManager.SendStream.Records;

/// <summary>
/// The fields of an OBJECT_RANGE record. The encryption parameters of a block of dnodes; raw streams only. Source:
/// OpenZFS include/sys/zfs_ioctl.h, struct drr_object_range.
/// </summary>
public readonly ref struct ObjectRangeRecord
{
    private readonly ReadOnlySpan<byte> _fields;

    internal ObjectRangeRecord(ReadOnlySpan<byte> fields) => _fields = fields;

    /// <summary>First object of the block, a multiple of 32.</summary>
    public ulong FirstObject => BinaryPrimitives.ReadUInt64LittleEndian(_fields);

    /// <summary>Dnode slots of the block: 32.</summary>
    public ulong SlotCount => BinaryPrimitives.ReadUInt64LittleEndian(_fields[8..]);

    /// <summary>GUID of the snapshot.</summary>
    public ulong SnapshotGuid => BinaryPrimitives.ReadUInt64LittleEndian(_fields[16..]);

    /// <summary>Salt of the block.</summary>
    public ReadOnlySpan<byte> Salt => _fields.Slice(24, 8);

    /// <summary>Initialization vector of the block.</summary>
    public ReadOnlySpan<byte> InitializationVector => _fields.Slice(32, 12);

    /// <summary>Message authentication code of the block.</summary>
    public ReadOnlySpan<byte> MessageAuthenticationCode => _fields.Slice(44, 16);

    /// <summary>DRR_RAW_BYTESWAP (2).</summary>
    public byte Flags => _fields[60];
}
