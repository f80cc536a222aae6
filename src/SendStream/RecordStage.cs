namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Position of a record among those of one object number, in the order in which ZFS sends them. The numbers are stored
/// (<see cref="ParserState.Format"/>). Source: OpenZFS module/zfs/dmu_send.c, dump_dnode, do_dump,
/// piggyback_unmodified_spill; module/zfs/dmu_traverse.c, traverse_dnode (the spill block is visited after all data).
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

    /// <summary>A SPILL before any data: it did not change, or the object has no data.</summary>
    EarlySpill,

    /// <summary>WRITE, WRITE_EMBEDDED, WRITE_BYREF, REDACT, or another FREE; ordered by offset.</summary>
    Data,

    /// <summary>A SPILL after data: it changed.</summary>
    Spill,
}
