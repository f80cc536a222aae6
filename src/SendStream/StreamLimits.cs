namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Sizes and bounds of the format, in bytes unless stated otherwise, each with its source in OpenZFS 2.3.2.
/// </summary>
internal static class StreamLimits
{
    /// <summary>First eight bytes of BEGIN's fields: DMU_BACKUP_MAGIC, include/sys/zfs_ioctl.h.</summary>
    public const ulong Magic = 0x2F5BACBAC;

    /// <summary>Number of record types that are known: DRR_NUMTYPES, include/sys/zfs_ioctl.h.</summary>
    public const int RecordTypes = 11;

    /// <summary>
    /// Offset of <c>drr_checksum</c> in every header except BEGIN's: struct drr_checksum, include/sys/zfs_ioctl.h.
    /// </summary>
    public const int ChecksumOffset = RecordHeader.Size - Fletcher4.Size;

    /// <summary>
    /// Largest nvlist that a BEGIN may carry. libzfs writes and accepts 4 * SPA_MAXBLOCKSIZE (libzfs_util.c,
    /// libzfs_max_nvlist, changeable by ZFS_SENDRECV_MAX_NVLIST); the kernel's own hard limit is 256 MiB (dmu_recv.c,
    /// dmu_recv_begin).
    /// </summary>
    public const int BeginPayload = 64 << 20;

    /// <summary>SPA_MINBLOCKSIZE, include/sys/fs/zfs.h.</summary>
    public const int MinBlock = 512;

    /// <summary>SPA_MAXBLOCKSIZE, include/sys/fs/zfs.h.</summary>
    public const int MaxBlock = 16 << 20;

    /// <summary>SPA_MAXBLOCKSHIFT, include/sys/fs/zfs.h: a power of two.</summary>
    public const int MaxBlockShift = 24;

    /// <summary>BPE_PAYLOAD_SIZE, include/sys/spa.h.</summary>
    public const int EmbeddedPayload = 112;

    /// <summary>NUM_BP_EMBEDDED_TYPES, include/sys/spa.h: data, one reserved, redacted.</summary>
    public const int EmbeddedTypes = 3;

    /// <summary>A slot of a dnode block: DNODE_MIN_SIZE, include/sys/dnode.h.</summary>
    public const int DnodeSlot = 512;

    /// <summary>Slots of a dnode block, and most slots of one dnode: DNODES_PER_BLOCK, include/sys/dnode.h.</summary>
    public const int DnodeSlots = 32;

    /// <summary>
    /// Bytes of a dnode besides its bonus buffer: DNODE_CORE_SIZE and one block pointer, include/sys/dnode.h.
    /// </summary>
    public const int DnodeOverhead = 64 + 128;

    /// <summary>DN_BONUS_SIZE(DNODE_MAX_SIZE), include/sys/dnode.h: 16,192.</summary>
    public const int MaxBonus = DnodeSlots * DnodeSlot - DnodeOverhead;

    /// <summary>DN_MAX_LEVELS, include/sys/dnode.h: levels of block pointers.</summary>
    public const int IndirectLevels = 12;

    /// <summary>DN_MAX_NBLKPTR, include/sys/dnode.h.</summary>
    public const int BlockPointers = 3;

    /// <summary>
    /// A block pointer has 7 bits for its compression (include/sys/spa.h, BP_GET_COMPRESS). zfs receive refuses what
    /// its own version does not know. A backup must not depend on a version, so only the width of the field bounds it.
    /// </summary>
    public const int CompressionTypes = 128;

    /// <summary>DMU_OT_NUMTYPES, include/sys/dmu.h: the numbered object types, a closed list.</summary>
    public const int NumberedObjectTypes = 54;

    /// <summary>
    /// DMU_BSWAP_NUMFUNCS, include/sys/dmu.h: ways to swap bytes, low five bits of the newer object types.
    /// </summary>
    public const int ByteSwaps = 10;
}
