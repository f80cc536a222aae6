namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// The type of a record: <c>drr_type</c>, 32 bits. Numbers without a name are kept as they are. Source: OpenZFS
/// include/sys/zfs_ioctl.h, struct dmu_replay_record.
/// </summary>
public enum RecordType : uint
{
    /// <summary>Opens one snapshot's stream, or a package. Its payload, if any, is an nvlist.</summary>
    Begin = 0,

    /// <summary>One object (dnode) is created or changed. Payload: its bonus buffer.</summary>
    Object,

    /// <summary>A run of object numbers is not in use. No payload.</summary>
    FreeObjects,

    /// <summary>One block of an object. Payload: the block, compressed or encrypted if the header says so.</summary>
    Write,

    /// <summary>A byte range of an object is a hole. No payload.</summary>
    Free,

    /// <summary>Closes one snapshot's stream, a package's header, or a package. No payload.</summary>
    End,

    /// <summary>
    /// One block that equals an earlier one (streams of <c>zfs send -D</c>, written until OpenZFS 0.8). No payload.
    /// </summary>
    WriteByRef,

    /// <summary>
    /// The spill block of an object: attributes that do not fit into the bonus buffer. Payload: the block.
    /// </summary>
    Spill,

    /// <summary>One block small enough to be stored in its block pointer. Payload: up to 112 bytes.</summary>
    WriteEmbedded,

    /// <summary>The encryption parameters of a block of 32 dnodes; raw streams only. No payload.</summary>
    ObjectRange,

    /// <summary>A byte range of an object was deliberately left out. No payload.</summary>
    Redact,
}
