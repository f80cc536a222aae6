using System.Buffers.Binary;
using ZfsSnapshotManager.SendStream.Records;

namespace ZfsSnapshotManager.SendStream.Writing;

/// <summary>
/// A record header that can be changed, to be written by <see cref="SendStreamWriter"/>. The buffer is reused: it holds
/// one header at a time. Values are not judged here; checksums are the writer's affair.
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

    /// <summary>Takes a header over, to change it.</summary>
    /// <param name="header">The header to copy.</param>
    /// <returns>This record.</returns>
    public EditableRecord Load(RecordHeader header)
    {
        header.Raw.CopyTo(_raw);
        return this;
    }

    /// <summary>Makes it a FREE.</summary>
    /// <param name="number">Number of the object.</param>
    /// <param name="offset">Where the range begins, in bytes.</param>
    /// <param name="length">Bytes of the range; <see cref="ulong.MaxValue"/>: to the end of the object.</param>
    /// <param name="snapshotGuid">GUID of the snapshot.</param>
    /// <returns>This record.</returns>
    public EditableRecord MakeFree(ulong number, ulong offset, ulong length, ulong snapshotGuid)
    {
        Clear(RecordType.Free);
        Put(0, number);
        Put(8, offset);
        Put(16, length);
        return SetSnapshotGuid(snapshotGuid);
    }

    /// <summary>Makes it a FREEOBJECTS.</summary>
    /// <param name="first">First number of the run.</param>
    /// <param name="count">Length of the run.</param>
    /// <param name="snapshotGuid">GUID of the snapshot.</param>
    /// <returns>This record.</returns>
    public EditableRecord MakeFreeObjects(ulong first, ulong count, ulong snapshotGuid)
    {
        Clear(RecordType.FreeObjects);
        Put(0, first);
        Put(8, count);
        return SetSnapshotGuid(snapshotGuid);
    }

    /// <summary>Makes it an END.</summary>
    /// <param name="snapshotGuid">GUID of the snapshot.</param>
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

    /// <summary>Sets what of a BEGIN is changed when streams are resumed or merged.</summary>
    /// <param name="baseGuid">GUID of the snapshot or bookmark it is incremental to; 0: a full stream.</param>
    /// <param name="features">Features the stream uses.</param>
    /// <param name="flags">DRR_FLAG_CLONE (1), DRR_FLAG_CI_DATA (2), DRR_FLAG_FREERECORDS (4), DRR_FLAG_SPILL_BLOCK
    /// (8).</param>
    /// <param name="payloadLength">Bytes of the payload, a multiple of 8.</param>
    /// <returns>This record.</returns>
    /// <exception cref="InvalidOperationException">The record is of another type.</exception>
    public EditableRecord SetBegin(ulong baseGuid, StreamFeatures features, uint flags, int payloadLength)
    {
        var kept = Header.AsBegin().VersionInfo & ~(FeatureMask << FeatureShift);
        Put(8, kept | (((ulong)features & FeatureMask) << FeatureShift));
        BinaryPrimitives.WriteUInt32LittleEndian(Fields[28..], flags);
        Put(40, baseGuid);
        BinaryPrimitives.WriteUInt32LittleEndian(_raw.AsSpan(sizeof(uint)), (uint)payloadLength);
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

    /// <summary>Takes DRR_SPILL_UNMODIFIED off a SPILL: receivers are to store it.</summary>
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
