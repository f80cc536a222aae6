namespace ZfsSnapshotManager.SendStream;

/// <summary>How a stream stands to other snapshots.</summary>
public enum StreamKind
{
    /// <summary>One snapshot, complete in itself (<c>drr_fromguid</c> is 0).</summary>
    Full,

    /// <summary>
    /// One snapshot, as changes since another one (<c>drr_fromguid</c>); a clone's stream is one since its origin.
    /// </summary>
    Incremental,

    /// <summary>
    /// Any number of snapshots in one compound stream: <c>zfs send -R</c>, <c>-I</c>, <c>-p</c>, <c>-b</c> or
    /// <c>-h</c>.
    /// </summary>
    Package,
}
