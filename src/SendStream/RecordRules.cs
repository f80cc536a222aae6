using ZfsSnapshotManager.SendStream.Records;

namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// The ranges of a record's fields: those that the format sets, and those outside which <c>zfs receive</c> refuses a
/// stream (OpenZFS module/zfs/dmu_recv.c; the function is named at each rule). Properties of the receiving pool are not
/// considered.
/// </summary>
internal static class RecordRules
{
    /// <summary>DRR_FLAG_SPILL_BLOCK of BEGIN.</summary>
    public const uint SpillBlockFlag = 1 << 3;

    /// <summary>DRR_OBJECT_SPILL of OBJECT.</summary>
    private const byte ObjectSpillFlag = 1 << 2;

    /// <summary>
    /// Returns the rule that a record of a snapshot's stream breaks, by the BEGIN it belongs to; null if none.
    /// </summary>
    public static RecordFault? Judge(RecordHeader header, SnapshotStreamInfo begin) =>
        header.Type switch
        {
            RecordType.Object => Judge(header.AsObject(), begin),
            RecordType.FreeObjects => Judge(header.AsFreeObjects()),
            RecordType.Write => Judge(header.AsWrite(), begin.IsRaw),
            RecordType.Free => JudgeRange("FREE", header.AsFree().Offset, header.AsFree().Length),
            RecordType.WriteByRef => Judge(header.AsWriteByRef(), begin.Features),
            RecordType.Spill => Judge(header.AsSpill(), begin.IsRaw),
            RecordType.WriteEmbedded => Judge(header.AsWriteEmbedded(), begin.IsRaw),
            RecordType.ObjectRange => Judge(header.AsObjectRange(), begin.IsRaw),
            RecordType.Redact => JudgeRange("REDACT", header.AsRedact().Offset, header.AsRedact().Length),
            _ => null,
        };

    /// <summary>Source: receive_object.</summary>
    private static RecordFault? Judge(ObjectRecord record, SnapshotStreamInfo begin)
    {
        if (record.ObjectType == DmuObjectType.None || !IsObjectType(record.ObjectType))
            return Bad($"OBJECT has object type {(uint)record.ObjectType}, which does not exist");
        if (!IsObjectType(record.BonusType))
            return Bad($"OBJECT has bonus type {(uint)record.BonusType}, which does not exist");
        if ((byte)record.CompressionType >= StreamLimits.CompressionTypes)
            return Bad(
                $"OBJECT has compression type {(byte)record.CompressionType}; expected less than "
                    + $"{StreamLimits.CompressionTypes}"
            );
        if (!IsBlockSize(record.BlockSize))
            return Bad($"OBJECT has a block size of {record.BlockSize} bytes; expected a multiple of 512 up to 16 MiB");
        if (record.BonusLength > StreamLimits.MaxBonus)
            return Bad(
                $"OBJECT has a bonus buffer of {record.BonusLength} bytes; the largest possible is "
                    + $"{StreamLimits.MaxBonus}"
            );
        if (record.DnodeSlots > StreamLimits.DnodeSlots)
            return Bad(
                $"OBJECT takes {record.DnodeSlots} dnode slots; the most possible are {StreamLimits.DnodeSlots}"
            );
        return begin.IsRaw ? JudgeRaw(record) : JudgePlain(record, (begin.Flags & SpillBlockFlag) != 0);
    }

    private static RecordFault? JudgeRaw(ObjectRecord record)
    {
        var room = Math.Max(record.DnodeSlots, (byte)1) * StreamLimits.DnodeSlot - StreamLimits.DnodeOverhead;
        if (
            record.RawBonusLength < record.BonusLength
            || record.RawBonusLength > room
            || record.RawBonusLength % sizeof(uint) != 0
        )
            return Bad(
                $"OBJECT has a raw bonus of {record.RawBonusLength} bytes; expected {record.BonusLength} to {room}, "
                    + "in words of 4"
            );
        if (record.IndirectBlockShift > StreamLimits.MaxBlockShift)
            return Bad(
                $"OBJECT has indirect blocks of 2^{record.IndirectBlockShift} bytes; expected up to "
                    + $"2^{StreamLimits.MaxBlockShift}"
            );
        if (record.Levels > StreamLimits.IndirectLevels)
            return Bad($"OBJECT has {record.Levels} levels; the most possible are {StreamLimits.IndirectLevels}");
        if (record.BlockPointers > StreamLimits.BlockPointers)
            return Bad(
                $"OBJECT has {record.BlockPointers} block pointers; the most possible are {StreamLimits.BlockPointers}"
            );
        return null;
    }

    private static RecordFault? JudgePlain(ObjectRecord record, bool spillFlagsAreMeant)
    {
        if ((record.Flags & ~ObjectSpillFlag) != 0)
            return Bad(
                $"OBJECT has flags {record.Flags:x}, of which a stream that is not raw knows only {ObjectSpillFlag}"
            );
        if (record.HasSpill && !spillFlagsAreMeant)
            return Bad("OBJECT has a spill block, but BEGIN does not announce such flags");
        if (
            record.RawBonusLength != 0
            || record.BlockPointers != 0
            || record.IndirectBlockShift != 0
            || record.Levels != 0
        )
            return Bad("OBJECT has fields of a raw stream, but BEGIN does not announce one");
        return null;
    }

    /// <summary>Source: receive_freeobjects.</summary>
    private static RecordFault? Judge(FreeObjectsRecord record) =>
        Overflows(record.FirstObject, record.ObjectCount)
            ? Bad($"FREEOBJECTS frees {record.ObjectCount} objects from {record.FirstObject} on, beyond 64 bits")
            : null;

    /// <summary>
    /// Source: receive_process_write_record; for the sizes (in units of 512 bytes) dmu_send.c, dmu_dump_write.
    /// </summary>
    private static RecordFault? Judge(WriteRecord record, bool raw)
    {
        if (!IsObjectType(record.ObjectType))
            return Bad($"WRITE has object type {(uint)record.ObjectType}, which does not exist");
        if (!IsBlockSize(record.LogicalSize))
            return Bad(
                $"WRITE has a logical size of {record.LogicalSize} bytes; expected a multiple of 512 up to 16 MiB"
            );
        var most = raw ? StreamLimits.MaxBlock : record.LogicalSize;
        if (record.StoredSize == 0 || record.StoredSize > most || record.StoredSize % sizeof(uint) != 0)
            return Bad(
                $"WRITE has a compressed size of {record.CompressedSize} bytes; expected up to {most}, in words of 4"
            );
        return Overflows(record.Offset, record.LogicalSize)
            ? Bad($"WRITE puts {record.LogicalSize} bytes at offset {record.Offset}, beyond 64 bits")
            : null;
    }

    /// <summary>Source: receive_free and receive_redact, which share their rule.</summary>
    private static RecordFault? JudgeRange(string name, ulong offset, ulong length) =>
        length != ulong.MaxValue && Overflows(offset, length)
            ? Bad($"{name} covers {length} bytes from {offset} on, beyond 64 bits")
            : null;

    /// <summary>Source: OpenZFS 0.8 dmu_recv.c, receive_write_byref; later versions receive no such record.</summary>
    private static RecordFault? Judge(WriteByRefRecord record, StreamFeatures features)
    {
        if (!features.HasFlag(StreamFeatures.Dedup))
            return Bad("WRITE_BYREF occurs, but BEGIN does not announce deduplication");
        return Overflows(record.Offset, record.Length)
            ? Bad($"WRITE_BYREF covers {record.Length} bytes from {record.Offset} on, beyond 64 bits")
            : null;
    }

    /// <summary>Source: receive_spill.</summary>
    private static RecordFault? Judge(SpillRecord record, bool raw)
    {
        if (record.Length < StreamLimits.MinBlock || record.Length > StreamLimits.MaxBlock)
            return Bad($"SPILL has a length of {record.Length} bytes; expected 512 to 16 MiB");
        if (raw && !IsObjectType(record.ObjectType))
            return Bad($"SPILL has object type {(uint)record.ObjectType}, which does not exist");
        if (raw && ((byte)record.CompressionType >= StreamLimits.CompressionTypes || record.CompressedSize == 0))
            return Bad(
                $"SPILL of a raw stream has compression type {(byte)record.CompressionType} and compressed size "
                    + $"{record.CompressedSize}"
            );
        var most = raw ? StreamLimits.MaxBlock : record.Length;
        return record.StoredSize > most || record.StoredSize % sizeof(uint) != 0
            ? Bad($"SPILL has a payload of {record.StoredSize} bytes; expected up to {most}, in words of 4")
            : null;
    }

    /// <summary>Source: receive_write_embedded.</summary>
    private static RecordFault? Judge(WriteEmbeddedRecord record, bool raw)
    {
        if (raw)
            return Bad("WRITE_EMBEDDED occurs in a raw stream");
        if (record.PhysicalSize > StreamLimits.EmbeddedPayload)
            return Bad(
                $"WRITE_EMBEDDED has a payload of {record.PhysicalSize} bytes; expected up to "
                    + $"{StreamLimits.EmbeddedPayload}"
            );
        if (record.EmbeddedType >= StreamLimits.EmbeddedTypes)
            return Bad($"WRITE_EMBEDDED embeds type {record.EmbeddedType}, which does not exist");
        if ((byte)record.CompressionType >= StreamLimits.CompressionTypes)
            return Bad(
                $"WRITE_EMBEDDED has compression type {(byte)record.CompressionType}; expected less than "
                    + $"{StreamLimits.CompressionTypes}"
            );
        if (record.Length > StreamLimits.MaxBlock || record.LogicalSize > StreamLimits.MaxBlock)
            return Bad(
                $"WRITE_EMBEDDED covers {record.Length} bytes and unpacks to {record.LogicalSize}; the largest "
                    + "possible are 16 MiB"
            );
        if (IsSpillBlock(record))
        {
            return new(
                SendStreamError.LostOnReceive,
                $"WRITE_EMBEDDED of object {record.Object} is a spill block sent as data, which zfs receive loses, "
                    + "and with it extended"
                    + " attributes or the target of a symbolic link: a fault of zfs send -e, so send without -e"
            );
        }

        return Overflows(record.Offset, record.Length)
            ? Bad($"WRITE_EMBEDDED covers {record.Length} bytes from {record.Offset} on, beyond 64 bits")
            : null;
    }

    /// <summary>
    /// If a spill block is small enough to be embedded in its block pointer, <c>zfs send -e</c> treats it as data at
    /// the offset that its number (DMU_SPILL_BLKID, -2) would have, before it checks whether it is a spill block
    /// (module/zfs/dmu_send.c, do_dump). The receiver writes data at that offset and has no spill block. Seen on
    /// OpenZFS 2.3.2; docs/decisions/0012-send-e-loses-spill-blocks.md.
    /// </summary>
    private static bool IsSpillBlock(WriteEmbeddedRecord record) =>
        record.Length != 0 && record.Offset == unchecked(0 - 2 * record.Length);

    /// <summary>Source: receive_object_range.</summary>
    private static RecordFault? Judge(ObjectRangeRecord record, bool raw)
    {
        if (!raw)
            return Bad("OBJECT_RANGE occurs in a stream that is not raw");
        return record.SlotCount != StreamLimits.DnodeSlots || record.FirstObject % StreamLimits.DnodeSlots != 0
            ? Bad(
                $"OBJECT_RANGE is {record.SlotCount} objects from {record.FirstObject} on; expected "
                    + $"{StreamLimits.DnodeSlots}, aligned"
            )
            : null;
    }

    /// <summary>Source: include/sys/dmu.h, DMU_OT_IS_VALID.</summary>
    private static bool IsObjectType(DmuObjectType type) =>
        (uint)type switch
        {
            < StreamLimits.NumberedObjectTypes => true,
            >= 0x80 and <= 0xff => ((uint)type & 0x1f) < StreamLimits.ByteSwaps,
            _ => false,
        };

    private static bool IsBlockSize(ulong size) =>
        size is >= StreamLimits.MinBlock and <= StreamLimits.MaxBlock && size % StreamLimits.MinBlock == 0;

    private static bool Overflows(ulong start, ulong length) => length > ulong.MaxValue - start;

    private static RecordFault Bad(string reason) => RecordFault.BadRecord(reason);
}
