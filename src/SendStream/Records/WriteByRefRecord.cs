using System.Buffers.Binary;

namespace ZfsSnapshotManager.SendStream.Records;

/// <summary>
/// The fields of a WRITE_BYREF record. One block that equals a block sent earlier. Source: OpenZFS
/// include/sys/zfs_ioctl.h, struct drr_write_byref.
/// </summary>
public readonly ref struct WriteByRefRecord
{
    private readonly ReadOnlySpan<byte> _fields;

    internal WriteByRefRecord(ReadOnlySpan<byte> fields) => _fields = fields;

    /// <summary>Number of the object.</summary>
    public ulong Object => BinaryPrimitives.ReadUInt64LittleEndian(_fields);

    /// <summary>Where the block begins in the object, in bytes.</summary>
    public ulong Offset => BinaryPrimitives.ReadUInt64LittleEndian(_fields[8..]);

    /// <summary>Bytes of the block.</summary>
    public ulong Length => BinaryPrimitives.ReadUInt64LittleEndian(_fields[16..]);

    /// <summary>GUID of the snapshot.</summary>
    public ulong SnapshotGuid => BinaryPrimitives.ReadUInt64LittleEndian(_fields[24..]);

    /// <summary>GUID of the snapshot that holds the earlier block.</summary>
    public ulong SourceGuid => BinaryPrimitives.ReadUInt64LittleEndian(_fields[32..]);

    /// <summary>Object that holds it.</summary>
    public ulong SourceObject => BinaryPrimitives.ReadUInt64LittleEndian(_fields[40..]);

    /// <summary>Where it begins there, in bytes.</summary>
    public ulong SourceOffset => BinaryPrimitives.ReadUInt64LittleEndian(_fields[48..]);

    /// <summary>Kind of the checksum in the deduplication key.</summary>
    public ZioChecksum ChecksumType => (ZioChecksum)_fields[56];

    /// <summary>DRR_CHECKSUM_DEDUP (1).</summary>
    public byte Flags => _fields[57];
}
