using ZfsSnapshotManager.SendStream.Records;

namespace ZfsSnapshotManager.SendStream.Merging;

/// <summary>
/// The fields of an OBJECT record that decide whether a receiver retains the blocks that the object had.
/// </summary>
/// <param name="Type">Type of the object.</param>
/// <param name="BlockSize">Bytes of a data block.</param>
/// <param name="BlockPointers">Block pointers that fit into the dnode.</param>
/// <param name="Slots">Dnode slots: 1 to 32.</param>
/// <param name="IndirectBlockShift">Raw streams: bytes of an indirect block, as a power of two.</param>
/// <param name="Levels">Raw streams: levels of block pointers.</param>
/// <param name="LargeBlocks">Whether the stream may hold blocks larger than 128 KiB.</param>
internal readonly record struct ObjectFacts(
    DmuObjectType Type,
    uint BlockSize,
    int BlockPointers,
    int Slots,
    byte IndirectBlockShift,
    byte Levels,
    bool LargeBlocks
)
{
    /// <summary>
    /// SPA_OLD_MAXBLOCKSIZE, include/sys/fs/zfs.h: blocks are split into this size where a stream has no large ones.
    /// </summary>
    private const uint OldMaxBlock = 128 << 10;

    /// <summary>SPA_BLKPTRSHIFT, include/sys/spa.h.</summary>
    private const int BlockPointerShift = 7;

    /// <summary>Reads an OBJECT record.</summary>
    public static ObjectFacts Of(ObjectRecord record, SnapshotStreamInfo begin)
    {
        var slots = Math.Max(record.DnodeSlots, (byte)1);
        return new(
            record.ObjectType,
            record.BlockSize,
            CountBlockPointers(record.BonusType, record.BonusLength, slots),
            slots,
            record.IndirectBlockShift,
            record.Levels,
            (begin.Features & StreamFeatures.LargeBlocks) != StreamFeatures.None
        );
    }

    /// <summary>
    /// What a receiver that has the object as <paramref name="old"/> retains of it when this OBJECT arrives. Source:
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
    /// Whether the blocks of a file were split because earlier streams had no large blocks (<c>zfs send</c> without
    /// <c>-L</c>): then the receiver keeps them and their size, and splits the blocks that follow. Files that were
    /// created anew cannot be told apart from those here; keeping their old blocks is harmless, since their stream
    /// replaces or frees every one of them.
    /// </summary>
    /// <param name="old">The object as it is.</param>
    /// <param name="oldEnd">Bytes up to the end of its last block.</param>
    /// <param name="raw">Whether the streams are raw; those never split.</param>
    public bool KeepsBlockSize(ObjectFacts old, ulong oldEnd, bool raw) =>
        !raw
        && LargeBlocks
        && !old.LargeBlocks
        && Type == DmuObjectType.PlainFileContents
        && old.Type == DmuObjectType.PlainFileContents
        && old.BlockSize == OldMaxBlock
        && BlockSize > OldMaxBlock
        && oldEnd > OldMaxBlock;

    /// <summary>
    /// As many as the dnode has room for beside its bonus buffer; one of system attributes takes all of it. Source:
    /// OpenZFS module/zfs/dnode.c, dnode_allocate and dnode_reallocate; dmu_recv.c, deduce_nblkptr. Before ffde77051c
    /// (July 2026) the latter counted the room of a dnode of one slot, so that a receiver lost blocks of large dnodes
    /// in file systems of a version before 5. What is merged here is the snapshot, not that fault.
    /// </summary>
    private static int CountBlockPointers(DmuObjectType bonusType, uint bonusLength, int slots)
    {
        if (bonusType == DmuObjectType.SystemAttributes)
            return 1;
        var room = (uint)(slots * StreamLimits.DnodeSlot - StreamLimits.DnodeOverhead);
        var pointers = 1 + (int)((room - Math.Min(room, bonusLength)) >> BlockPointerShift);
        return Math.Min(StreamLimits.BlockPointers, pointers);
    }
}
