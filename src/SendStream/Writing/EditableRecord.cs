using System.Buffers.Binary;
using ZfsSnapshotManager.SendStream.Records;

namespace ZfsSnapshotManager.SendStream.Writing;

/// <summary>
/// A record header that can be changed, to be written by <see cref="SendStreamWriter"/>. The buffer is reused: it holds
/// one header at a time. Ranges of values are not checked here, and checksums are filled in by the writer. Not
/// thread-safe.
/// </summary>
public sealed class EditableRecord
{
    // drr_versioninfo: two bits of header type, then 56 of features (include/sys/zfs_ioctl.h, DMU_SET_FEATUREFLAGS).
    private const int FeatureShift = 2;
    private const ulong FeatureMask = (1UL << 56) - 1;

    private readonly byte[] _raw = new byte[RecordHeader.Size];

    /// <summary>The header as it stands; the view shares this record's buffer.</summary>
    public RecordHeader Header => new(_raw);

    private Span<byte> Fields => _raw.AsSpan(RecordHeader.FieldsOffset);

    /// <summary>Copies a header, to change it.</summary>
    /// <param name="header">The header.</param>
    /// <returns>This record.</returns>
    public EditableRecord Load(RecordHeader header)
    {
        header.Raw.CopyTo(_raw);
        return this;
    }

    /// <summary>Makes it a FREE record.</summary>
    /// <param name="data">The fields.</param>
    /// <returns>This record.</returns>
    public EditableRecord Make(in FreeRecordData data)
    {
        Clear(RecordType.Free);
        Put(0, data.Object);
        Put(8, data.Offset);
        Put(16, data.Length);
        return SetSnapshotGuid(data.SnapshotGuid);
    }

    /// <summary>Makes it a FREEOBJECTS record.</summary>
    /// <param name="data">The fields.</param>
    /// <returns>This record.</returns>
    public EditableRecord Make(in FreeObjectsRecordData data)
    {
        Clear(RecordType.FreeObjects);
        Put(0, data.FirstObject);
        Put(8, data.ObjectCount);
        return SetSnapshotGuid(data.SnapshotGuid);
    }

    /// <summary>Makes it an END record; its checksum is filled in by the writer.</summary>
    /// <param name="snapshotGuid">GUID of the snapshot (<c>drr_toguid</c>).</param>
    /// <returns>This record.</returns>
    public EditableRecord MakeEnd(ulong snapshotGuid)
    {
        Clear(RecordType.End);
        return SetSnapshotGuid(snapshotGuid);
    }

    /// <summary>Sets the field <c>drr_toguid</c>.</summary>
    /// <param name="snapshotGuid">GUID of the snapshot.</param>
    /// <returns>This record.</returns>
    /// <exception cref="InvalidOperationException">The record's type is not known.</exception>
    public EditableRecord SetSnapshotGuid(ulong snapshotGuid)
    {
        if (RecordHeader.SnapshotGuidOffset(Header.Type) is not { } offset)
            throw new InvalidOperationException($"The record is of the unknown type {(uint)Header.Type}.");
        Put(offset, snapshotGuid);
        return this;
    }

    /// <summary>Sets the fields of a BEGIN that change when streams are resumed or merged.</summary>
    /// <param name="data">The fields.</param>
    /// <returns>This record.</returns>
    /// <exception cref="InvalidOperationException">The record is of another type.</exception>
    public EditableRecord SetBegin(in BeginRecordData data)
    {
        var kept = Header.AsBegin().VersionInfo & ~(FeatureMask << FeatureShift);
        Put(8, kept | (((ulong)data.Features & FeatureMask) << FeatureShift));
        BinaryPrimitives.WriteUInt32LittleEndian(Fields[28..], data.Flags);
        Put(40, data.BaseGuid);
        BinaryPrimitives.WriteUInt32LittleEndian(_raw.AsSpan(sizeof(uint)), (uint)data.PayloadLength);
        return this;
    }

    /// <summary>Sets the block size of an OBJECT.</summary>
    /// <param name="blockSize">Bytes: 512 to 16 MiB, a multiple of 512.</param>
    /// <returns>This record.</returns>
    /// <exception cref="InvalidOperationException">The record is of another type.</exception>
    public EditableRecord SetBlockSize(uint blockSize)
    {
        _ = Header.AsObject();
        BinaryPrimitives.WriteUInt32LittleEndian(Fields[16..], blockSize);
        return this;
    }

    /// <summary>Clears DRR_SPILL_UNMODIFIED of a SPILL, so that receivers store it.</summary>
    /// <returns>This record.</returns>
    /// <exception cref="InvalidOperationException">The record is of another type.</exception>
    public EditableRecord SetSpillModified()
    {
        _ = Header.AsSpill();
        Fields[24] &= unchecked((byte)~SpillRecord.UnmodifiedFlag);
        return this;
    }

    private void Clear(RecordType type)
    {
        _raw.AsSpan().Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(_raw, (uint)type);
    }

    private void Put(int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Fields[offset..], value);
}
