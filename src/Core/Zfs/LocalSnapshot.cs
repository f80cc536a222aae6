using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>A snapshot or bookmark of a dataset that is backed up.</summary>
/// <param name="Name">Its full name.</param>
/// <param name="Guid">Equal for a snapshot and its bookmark.</param>
/// <param name="CreateTxg">The pool's transaction group when it was made. It orders a dataset's snapshots correctly,
/// even if the clock was changed.</param>
/// <param name="Creation">When it was made, by the clock of its machine.</param>
/// <param name="Upload">The mark that this tool set on the snapshot itself; null if another tool made it, for
/// bookmarks, and if marks were not asked for.</param>
/// <param name="IsHeld">Whether it is held (<c>zfs hold</c>), so that it cannot be destroyed.</param>
/// <param name="Type">What this tool made it for, on this machine; null if that is not noted, or marks were not asked
/// for.</param>
public sealed record LocalSnapshot(
    SnapshotName Name,
    SnapshotGuid Guid,
    ulong CreateTxg,
    DateTimeOffset Creation,
    UploadMark? Upload,
    bool IsHeld = false,
    SnapshotType? Type = null
);
