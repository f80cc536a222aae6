using System.Buffers.Binary;

namespace ZfsSnapshotManager.SendStream.Records;

/// <summary>
/// The fields of a WRITE_EMBEDDED record. One block small enough to be stored in its block pointer. Source: OpenZFS
/// include/sys/zfs_ioctl.h, struct drr_write_embedded.
/// </summary>
public readonly ref struct WriteEmbeddedRecord
{
    private readonly ReadOnlySpan<byte> _fields;

    internal WriteEmbeddedRecord(ReadOnlySpan<byte> fields) => _fields = fields;

    /// <summary>Number of the object.</summary>
    public ulong Object => BinaryPrimitives.ReadUInt64LittleEndian(_fields);

    /// <summary>Where the block begins in the object, in bytes.</summary>
    public ulong Offset => BinaryPrimitives.ReadUInt64LittleEndian(_fields[8..]);

    /// <summary>Bytes of the block: the object's block size.</summary>
    public ulong Length => BinaryPrimitives.ReadUInt64LittleEndian(_fields[16..]);

    /// <summary>GUID of the snapshot.</summary>
    public ulong SnapshotGuid => BinaryPrimitives.ReadUInt64LittleEndian(_fields[24..]);

    /// <summary>How the payload is compressed.</summary>
    public ZioCompression CompressionType => (ZioCompression)_fields[32];

    /// <summary>What is embedded (enum bp_embedded_type): 0, data.</summary>
    public byte EmbeddedType => _fields[33];

    /// <summary>Bytes of the payload when it is unpacked.</summary>
    public uint LogicalSize => BinaryPrimitives.ReadUInt32LittleEndian(_fields[40..]);

    /// <summary>Bytes of the payload: up to 112; in the stream it is padded to a multiple of 8.</summary>
    public uint PhysicalSize => BinaryPrimitives.ReadUInt32LittleEndian(_fields[44..]);

    /// <summary>Bytes that follow: <see cref="PhysicalSize"/> rounded up to a multiple of 8.</summary>
    public long PayloadLength => (PhysicalSize + 7L) & ~7L;
}
