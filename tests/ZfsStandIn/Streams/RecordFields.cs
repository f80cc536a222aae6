using System.Buffers.Binary;
using System.Text;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.ZfsStandIn.Streams;

/// <summary>
/// Lays out record headers. Source: OpenZFS include/sys/zfs_ioctl.h, struct dmu_replay_record; checksums are filled in
/// by the writer.
/// </summary>
internal sealed class RecordFields
{
    /// <summary>DRR_FLAG_FREERECORDS and DRR_FLAG_SPILL_BLOCK, as every stream of OpenZFS 2.3 has them.</summary>
    private const uint BeginFlags = 4 | 8;

    /// <summary>Dnodes of 512 bytes in a block of 16 KiB.</summary>
    public const ulong SlotsOfRange = 32;

    /// <summary>ZIO_COMPRESS_OFF: in a raw stream every block says how it is compressed.</summary>
    private const byte CompressionOff = 2;

    /// <summary>DN_MAX_INDBLKSHIFT.</summary>
    private const byte IndirectBlockShift = 17;

    private const uint FileSystem = 2;
    private const uint Volume = 3;

    /// <summary>DMU_OT_PLAIN_FILE_CONTENTS.</summary>
    private const uint FileObject = 19;

    /// <summary>DMU_OT_ZVOL.</summary>
    private const uint VolumeObject = 23;

    /// <summary>
    /// DMU_OTN_UINT8_DATA, bytes that nobody looks into. In what is called system attributes (DMU_OT_SA) the kernel
    /// looks for an owner, and panics at what is none (zpl_get_file_info).
    /// </summary>
    private const uint BonusType = 128;

    private readonly byte[] _raw = new byte[RecordHeader.Size];
    private readonly ulong _toGuid;
    private readonly bool _isVolume;
    private readonly bool _isRaw;

    public RecordFields(ulong toGuid, bool isVolume, bool isRaw) =>
        (_toGuid, _isVolume, _isRaw) = (toGuid, isVolume, isRaw);

    public RecordHeader Header => new(_raw);

    public RecordHeader Begin(OutgoingStream stream, StreamFeatures features, int payloadLength)
    {
        Clear(RecordType.Begin);
        BinaryPrimitives.WriteUInt32LittleEndian(_raw.AsSpan(4), (uint)payloadLength);
        Put64(0, 0x2F5BACBAC);
        Put64(8, 1 | ((ulong)features << 2));
        Put64(16, (ulong)stream.Snapshot.Creation);
        Put32(24, _isVolume ? Volume : FileSystem);
        Put32(28, BeginFlags);
        Put64(32, _toGuid);
        Put64(40, stream.BaseGuid);
        Encoding.UTF8.GetBytes(stream.Name, _raw.AsSpan(8 + 48));
        return Header;
    }

    /// <summary>An object; its bonus area, which follows, holds the file's name.</summary>
    public RecordHeader Object(ulong number, int blockSize, int bonusLength)
    {
        Clear(RecordType.Object);
        Put64(0, number);
        Put32(8, ObjectType);
        Put32(12, BonusType);
        Put32(16, (uint)blockSize);
        Put32(20, (uint)bonusLength);
        _raw[8 + 26] = 1;
        Put64(32, _toGuid);
        if (!_isRaw)
            return Header;
        Put32(28, (uint)((bonusLength + 7) & ~7));
        _raw[8 + 40] = IndirectBlockShift;
        _raw[8 + 41] = 1; // level
        _raw[8 + 42] = 1; // block pointer
        return Header;
    }

    public RecordHeader FreeObjects(ulong first, ulong count)
    {
        Clear(RecordType.FreeObjects);
        Put64(0, first);
        Put64(8, count);
        Put64(16, _toGuid);
        return Header;
    }

    /// <summary>Frees all of an object from an offset on.</summary>
    public RecordHeader FreeRest(ulong number, ulong offset)
    {
        Clear(RecordType.Free);
        Put64(0, number);
        Put64(8, offset);
        Put64(16, ulong.MaxValue);
        Put64(24, _toGuid);
        return Header;
    }

    public RecordHeader Write(ulong number, ulong offset, int length)
    {
        Clear(RecordType.Write);
        Put64(0, number);
        Put32(8, ObjectType);
        Put64(16, offset);
        Put64(24, (ulong)length);
        Put64(32, _toGuid);
        if (!_isRaw)
            return Header;
        _raw[8 + 42] = CompressionOff;
        Put64(88, (ulong)length);
        return Header;
    }

    /// <summary>A block of dnodes of a raw stream.</summary>
    public RecordHeader ObjectRange(ulong first)
    {
        Clear(RecordType.ObjectRange);
        Put64(0, first);
        Put64(8, SlotsOfRange);
        Put64(16, _toGuid);
        return Header;
    }

    public RecordHeader End()
    {
        Clear(RecordType.End);
        Put64(32, _toGuid);
        return Header;
    }

    private uint ObjectType => _isVolume ? VolumeObject : FileObject;

    private void Clear(RecordType type)
    {
        Array.Clear(_raw);
        BinaryPrimitives.WriteUInt32LittleEndian(_raw, (uint)type);
    }

    private void Put64(int offset, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(_raw.AsSpan(8 + offset), value);

    private void Put32(int offset, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(_raw.AsSpan(8 + offset), value);
}
