using System.Buffers.Binary;

namespace ZfsSnapshotManager.SendStream.Records;

/// <summary>
/// The fields of a WRITE record. One block of an object. Source: OpenZFS include/sys/zfs_ioctl.h, struct drr_write.
/// </summary>
public readonly ref struct WriteRecord
{
    private readonly ReadOnlySpan<byte> _fields;

    internal WriteRecord(ReadOnlySpan<byte> fields) => _fields = fields;

    /// <summary>Number of the object.</summary>
    public ulong Object => BinaryPrimitives.ReadUInt64LittleEndian(_fields);

    /// <summary>Type of the object.</summary>
    public DmuObjectType ObjectType => (DmuObjectType)BinaryPrimitives.ReadUInt32LittleEndian(_fields[8..]);

    /// <summary>Where the block begins in the object, in bytes.</summary>
    public ulong Offset => BinaryPrimitives.ReadUInt64LittleEndian(_fields[16..]);

    /// <summary>Bytes of the block when it is unpacked: 512 to 16 MiB, a multiple of 512.</summary>
    public ulong LogicalSize => BinaryPrimitives.ReadUInt64LittleEndian(_fields[24..]);

    /// <summary>GUID of the snapshot.</summary>
    public ulong SnapshotGuid => BinaryPrimitives.ReadUInt64LittleEndian(_fields[32..]);

    /// <summary>Kind of the checksum in the deduplication key.</summary>
    public ZioChecksum ChecksumType => (ZioChecksum)_fields[40];

    /// <summary>DRR_CHECKSUM_DEDUP (1), DRR_RAW_BYTESWAP (2).</summary>
    public byte Flags => _fields[41];

    /// <summary>
    /// How the payload is compressed; <see cref="ZioCompression.Inherit"/> (0): it is not. Raw streams store
    /// <see cref="ZioCompression.Off"/> (2) for that.
    /// </summary>
    public ZioCompression CompressionType => (ZioCompression)_fields[42];

    /// <summary>Bytes of the payload if <see cref="CompressionType"/> is not 0; otherwise 0.</summary>
    public ulong CompressedSize => BinaryPrimitives.ReadUInt64LittleEndian(_fields[88..]);

    /// <summary>Raw streams: salt of the block.</summary>
    public ReadOnlySpan<byte> Salt => _fields.Slice(96, 8);

    /// <summary>Raw streams: initialization vector of the block.</summary>
    public ReadOnlySpan<byte> InitializationVector => _fields.Slice(104, 12);

    /// <summary>Raw streams: message authentication code of the block.</summary>
    public ReadOnlySpan<byte> MessageAuthenticationCode => _fields.Slice(116, 16);

    /// <summary>
    /// Bytes that follow: <see cref="CompressedSize"/> if the payload is compressed, otherwise
    /// <see cref="LogicalSize"/>.
    /// </summary>
    public ulong StoredSize => CompressionType != ZioCompression.Inherit ? CompressedSize : LogicalSize;
}
