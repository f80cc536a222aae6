using System.Buffers.Binary;

namespace ZfsSnapshotManager.SendStream.Records;

/// <summary>
/// The fields of a FREE record. A byte range of an object is a hole. Source: OpenZFS include/sys/zfs_ioctl.h, struct
/// drr_free.
/// </summary>
public readonly ref struct FreeRecord
{
    private readonly ReadOnlySpan<byte> _fields;

    internal FreeRecord(ReadOnlySpan<byte> fields) => _fields = fields;

    /// <summary>Number of the object.</summary>
    public ulong Object => BinaryPrimitives.ReadUInt64LittleEndian(_fields);

    /// <summary>Where the range begins, in bytes.</summary>
    public ulong Offset => BinaryPrimitives.ReadUInt64LittleEndian(_fields[8..]);

    /// <summary>Bytes of the range; <see cref="ulong.MaxValue"/>: to the end of the object.</summary>
    public ulong Length => BinaryPrimitives.ReadUInt64LittleEndian(_fields[16..]);

    /// <summary>GUID of the snapshot.</summary>
    public ulong SnapshotGuid => BinaryPrimitives.ReadUInt64LittleEndian(_fields[24..]);

    /// <summary>Whether the range extends to the end of the object.</summary>
    public bool ReachesObjectEnd => Length == ulong.MaxValue;
}
