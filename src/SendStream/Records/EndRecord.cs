using System.Buffers.Binary;

namespace ZfsSnapshotManager.SendStream.Records;

/// <summary>
/// The fields of an END record. Closes one snapshot's stream, a package's header, or a package. Source: OpenZFS
/// include/sys/zfs_ioctl.h, struct drr_end.
/// </summary>
public readonly ref struct EndRecord
{
    private readonly ReadOnlySpan<byte> _fields;

    internal EndRecord(ReadOnlySpan<byte> fields) => _fields = fields;

    /// <summary>The running checksum before this record.</summary>
    public Fletcher4 Checksum => Fletcher4.ReadFrom(_fields);

    /// <summary>GUID of the snapshot; 0 in both ENDs of a package.</summary>
    public ulong SnapshotGuid => BinaryPrimitives.ReadUInt64LittleEndian(_fields[32..]);
}
