namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Features a stream uses: <c>drr_versioninfo &gt;&gt; 2</c>, 56 bits. Bits without a name are kept as they are; the
/// parser refuses a stream that has one. Source: OpenZFS include/sys/zfs_ioctl.h, DMU_BACKUP_FEATURE_*. Bits 3 to 15
/// and 18 are reserved for other ZFS versions.
/// </summary>
[Flags]
public enum StreamFeatures : ulong
{
    /// <summary>No feature.</summary>
    None = 0,

    /// <summary>
    /// Holds WRITE_BYREF records (<c>zfs send -D</c>); OpenZFS 2 receives it only rewritten by <c>zstream redup</c>.
    /// </summary>
    Dedup = 1UL << 0,

    /// <summary>Blocks carry deduplication properties; set together with <see cref="Dedup"/>.</summary>
    DedupProps = 1UL << 1,

    /// <summary>May hold SPILL records.</summary>
    SaSpill = 1UL << 2,

    /// <summary>May hold WRITE_EMBEDDED records (<c>-e</c>).</summary>
    EmbedData = 1UL << 16,

    /// <summary>May hold LZ4-compressed blocks.</summary>
    Lz4 = 1UL << 17,

    /// <summary>May hold blocks larger than 128 KiB (<c>-L</c>).</summary>
    LargeBlocks = 1UL << 19,

    /// <summary>Continues an interrupted send (<c>-t</c>); the BEGIN payload states the point.</summary>
    Resuming = 1UL << 20,

    /// <summary>The dataset is redacted, or was redacted while it was sent.</summary>
    Redacted = 1UL << 21,

    /// <summary>Blocks as they are compressed on disk (<c>-c</c>).</summary>
    Compressed = 1UL << 22,

    /// <summary>May hold dnodes larger than 512 bytes.</summary>
    LargeDnode = 1UL << 23,

    /// <summary>Blocks as they are encrypted on disk (<c>-w</c>).</summary>
    Raw = 1UL << 24,

    /// <summary>May hold zstd-compressed blocks.</summary>
    Zstd = 1UL << 25,

    /// <summary>A package that carries user holds (<c>-h</c>).</summary>
    Holds = 1UL << 26,

    /// <summary>An incremental with large blocks on top of a snapshot sent without them.</summary>
    SwitchToLargeBlocks = 1UL << 27,

    /// <summary>May hold file names longer than 255 bytes.</summary>
    LongName = 1UL << 28,

    /// <summary>May hold micro-ZAPs larger than 128 KiB.</summary>
    LargeMicroZap = 1UL << 29,
}
