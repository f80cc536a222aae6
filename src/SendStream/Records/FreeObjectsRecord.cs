using System.Buffers.Binary;

namespace ZfsSnapshotManager.SendStream.Records;

/// <summary>
/// The fields of a FREEOBJECTS record. A run of object numbers is not in use. Source: OpenZFS include/sys/zfs_ioctl.h,
/// struct drr_freeobjects.
/// </summary>
public readonly ref struct FreeObjectsRecord
{
    private readonly ReadOnlySpan<byte> _fields;

    internal FreeObjectsRecord(ReadOnlySpan<byte> fields) => _fields = fields;

    /// <summary>First number of the run.</summary>
    public ulong FirstObject => BinaryPrimitives.ReadUInt64LittleEndian(_fields);

    /// <summary>Length of the run.</summary>
    public ulong ObjectCount => BinaryPrimitives.ReadUInt64LittleEndian(_fields[8..]);

    /// <summary>GUID of the snapshot.</summary>
    public ulong SnapshotGuid => BinaryPrimitives.ReadUInt64LittleEndian(_fields[16..]);
}
