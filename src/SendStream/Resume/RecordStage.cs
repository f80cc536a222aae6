namespace ZfsSnapshotManager.SendStream.Resume;

/// <summary>
/// Where a record stands among those of one object number, in the order in which ZFS sends them. Source: OpenZFS
/// module/zfs/dmu_send.c, dump_dnode, do_dump, piggyback_unmodified_spill; module/zfs/dmu_traverse.c, traverse_dnode
/// (the spill block is visited after all data).
/// </summary>
public enum RecordStage
{
    /// <summary>OBJECT_RANGE whose first object it is.</summary>
    ObjectRange = 0,

    /// <summary>FREEOBJECTS whose first object it is.</summary>
    FreeObjects,

    /// <summary>OBJECT.</summary>
    Object,

    /// <summary>The FREE to the end of the object that follows its OBJECT.</summary>
    TailFree,

    /// <summary>A SPILL before any data: one that did not change, or of an object without data.</summary>
    EarlySpill,

    /// <summary>WRITE, WRITE_EMBEDDED, WRITE_BYREF, REDACT, or another FREE; ordered by offset.</summary>
    Data,

    /// <summary>A SPILL behind data: one that changed.</summary>
    Spill,
}
