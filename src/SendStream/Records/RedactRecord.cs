using System.Buffers.Binary;

namespace ZfsSnapshotManager.SendStream.Records;

/// <summary>
/// The fields of a REDACT record. A byte range of an object was deliberately left out; <c>zfs receive</c> treats it as
/// a hole. Source: OpenZFS include/sys/zfs_ioctl.h, struct drr_redact.
/// </summary>
public readonly ref struct RedactRecord
{
    private readonly ReadOnlySpan<byte> _fields;

    internal RedactRecord(ReadOnlySpan<byte> fields) => _fields = fields;

    /// <summary>Number of the object.</summary>
    public ulong Object => BinaryPrimitives.ReadUInt64LittleEndian(_fields);

    /// <summary>Where the range begins, in bytes.</summary>
    public ulong Offset => BinaryPrimitives.ReadUInt64LittleEndian(_fields[8..]);

    /// <summary>Bytes of the range.</summary>
    public ulong Length => BinaryPrimitives.ReadUInt64LittleEndian(_fields[16..]);

    /// <summary>GUID of the snapshot.</summary>
    public ulong SnapshotGuid => BinaryPrimitives.ReadUInt64LittleEndian(_fields[24..]);
}
