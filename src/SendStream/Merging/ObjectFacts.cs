using ZfsSnapshotManager.SendStream.Records;

namespace ZfsSnapshotManager.SendStream.Merging;

/// <summary>What of an OBJECT record decides whether a receiver keeps the blocks that the object had before.</summary>
/// <param name="Type">Type of the object.</param>
/// <param name="BlockSize">Bytes of a data block.</param>
/// <param name="BlockPointers">Block pointers that the dnode has room for.</param>
/// <param name="Slots">Dnode slots: 1 to 32.</param>
/// <param name="IndirectBlockShift">Raw streams: bytes of an indirect block, as a power of two.</param>
/// <param name="Levels">Raw streams: levels of block pointers.</param>
/// <param name="LargeBlocks">Whether the stream may hold blocks larger than 128 KiB.</param>
internal readonly record struct ObjectFacts(
    uint Type,
    uint BlockSize,
    int BlockPointers,
    int Slots,
    byte IndirectBlockShift,
    byte Levels,
    bool LargeBlocks
)
{
    /// <summary>DMU_OT_PLAIN_FILE_CONTENTS, include/sys/dmu.h.</summary>
    private const uint PlainFile = 19;

    /// <summary>
    /// DMU_OT_SA, include/sys/dmu.h: a bonus buffer of system attributes takes all room but that of one block pointer.
    /// </summary>
    private const uint SystemAttributes = 44;

    /// <summary>
    /// SPA_OLD_MAXBLOCKSIZE, include/sys/fs/zfs.h: blocks are split into this size where a stream has no large ones.
    /// </summary>
    private const uint OldMaxBlock = 128 << 10;

    /// <summary>DN_OLD_MAX_BONUSLEN, include/sys/dnode.h.</summary>
    private const uint OldMaxBonus = 320;

    /// <summary>SPA_BLKPTRSHIFT, include/sys/spa.h.</summary>
    private const int BlockPointerShift = 7;

    /// <summary>Reads an OBJECT record.</summary>
    public static ObjectFacts Of(ObjectRecord record, SnapshotStreamInfo begin) =>
        new(
            record.ObjectType,
            record.BlockSize,
            CountBlockPointers(record.BonusType, record.BonusLength),
            Math.Max(record.DnodeSlots, (byte)1),
            record.IndirectBlockShift,
            record.Levels,
            (begin.Features & StreamFeatures.LargeBlocks) != StreamFeatures.None
        );

    /// <summary>
    /// What a receiver that has the object as <paramref name="old"/> keeps of it when this OBJECT arrives. Source:
    /// OpenZFS module/zfs/dmu_recv.c, receive_handle_existing_object.
    /// </summary>
    /// <param name="old">The object as it is.</param>
    /// <param name="oldEnd">Bytes up to the end of its last block.</param>
    /// <param name="raw">Whether the streams are raw.</param>
    public ObjectRetention RetentionOf(ObjectFacts old, ulong oldEnd, bool raw)
    {
        var indirectChanged = raw && IndirectBlockShift != old.IndirectBlockShift;
        var fewerLevels = raw && Levels < old.Levels;
        if (Slots != old.Slots || fewerLevels || (indirectChanged && old.Levels > 1))
            return ObjectRetention.Nothing;
        var blocksChanged = BlockSize != old.BlockSize && !KeepsBlockSize(old, oldEnd, raw);
        return blocksChanged || indirectChanged || BlockPointers < old.BlockPointers
            ? ObjectRetention.SpillOnly
            : ObjectRetention.Everything;
    }

    /// <summary>
    /// Whether the blocks of a file were split because streams before had no large blocks (<c>zfs send</c> without
    /// <c>-L</c>): then the receiver keeps them and their size, and splits what comes. Files that were made anew are
    /// not told from those here; to keep their old blocks does no harm, since their stream replaces or frees every one
    /// of them.
    /// </summary>
    /// <param name="old">The object as it is.</param>
    /// <param name="oldEnd">Bytes up to the end of its last block.</param>
    /// <param name="raw">Whether the streams are raw; those never split.</param>
    public bool KeepsBlockSize(ObjectFacts old, ulong oldEnd, bool raw) =>
        !raw
        && LargeBlocks
        && !old.LargeBlocks
        && Type == PlainFile
        && old.Type == PlainFile
        && old.BlockSize == OldMaxBlock
        && BlockSize > OldMaxBlock
        && oldEnd > OldMaxBlock;

    /// <summary>Source: OpenZFS module/zfs/dmu_recv.c, deduce_nblkptr.</summary>
    private static int CountBlockPointers(uint bonusType, uint bonusLength) =>
        bonusType == SystemAttributes
            ? 1
            : 1 + (int)((OldMaxBonus - Math.Min(OldMaxBonus, bonusLength)) >> BlockPointerShift);
}
