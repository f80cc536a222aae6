namespace ZfsSnapshotManager.SendStream;

/// <summary>How a stream relates to other snapshots.</summary>
public enum StreamKind
{
    /// <summary>One snapshot, complete in itself (<c>drr_fromguid</c> is 0).</summary>
    Full,

    /// <summary>
    /// One snapshot, as changes since another one (<c>drr_fromguid</c>); the stream of a clone, since its origin.
    /// </summary>
    Incremental,

    /// <summary>
    /// Any number of snapshots in one compound stream: <c>zfs send -R</c>, <c>-I</c>, <c>-p</c>, <c>-b</c> or
    /// <c>-h</c>.
    /// </summary>
    Package,
}
