using System.Buffers.Binary;

namespace ZfsSnapshotManager.SendStream.Records;

/// <summary>
/// The fields of a BEGIN record. Opens one snapshot's stream, or a package. Source: OpenZFS include/sys/zfs_ioctl.h,
/// struct drr_begin.
/// </summary>
public readonly ref struct BeginRecord
{
    private readonly ReadOnlySpan<byte> _fields;

    internal BeginRecord(ReadOnlySpan<byte> fields) => _fields = fields;

    /// <summary>0x2F5bacbac; byte-swapped in streams of big-endian machines.</summary>
    public ulong Magic => BinaryPrimitives.ReadUInt64LittleEndian(_fields);

    /// <summary>
    /// Low two bits: <see cref="HeaderType"/>; the next 56: <see cref="Features"/>; the top six are reserved.
    /// </summary>
    public ulong VersionInfo => BinaryPrimitives.ReadUInt64LittleEndian(_fields[8..]);

    /// <summary>When the snapshot was created: seconds since 1970 (UTC).</summary>
    public ulong CreationTime => BinaryPrimitives.ReadUInt64LittleEndian(_fields[16..]);

    /// <summary>
    /// The kind of dataset that was sent (<c>drr_type</c>); <see cref="DatasetType.None"/> in a package.
    /// </summary>
    public DatasetType DatasetType => (DatasetType)BinaryPrimitives.ReadUInt32LittleEndian(_fields[24..]);

    /// <summary>DRR_FLAG_CLONE (1), DRR_FLAG_CI_DATA (2), DRR_FLAG_FREERECORDS (4), DRR_FLAG_SPILL_BLOCK (8).</summary>
    public uint Flags => BinaryPrimitives.ReadUInt32LittleEndian(_fields[28..]);

    /// <summary>GUID of the snapshot; 0 in a package.</summary>
    public ulong SnapshotGuid => BinaryPrimitives.ReadUInt64LittleEndian(_fields[32..]);

    /// <summary>GUID of the snapshot or bookmark it is incremental to; 0: a full stream.</summary>
    public ulong BaseGuid => BinaryPrimitives.ReadUInt64LittleEndian(_fields[40..]);

    /// <summary><c>drr_toname</c>: dataset@snapshot, UTF-8, ended by a NUL.</summary>
    public ReadOnlySpan<byte> NameField => _fields.Slice(48, 256);

    /// <summary>1: one snapshot's stream (DMU_SUBSTREAM); 2: a package (DMU_COMPOUNDSTREAM).</summary>
    public int HeaderType => (int)(VersionInfo & 3);

    /// <summary>Features the stream uses.</summary>
    public StreamFeatures Features => (StreamFeatures)((VersionInfo >> 2) & ((1UL << 56) - 1));
}
