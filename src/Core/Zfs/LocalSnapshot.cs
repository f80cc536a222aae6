using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>A snapshot or bookmark on this machine.</summary>
/// <param name="Name">Its full name.</param>
/// <param name="Guid">Equal for a snapshot and its bookmark.</param>
/// <param name="CreateTxg">The pool's transaction group: orders a dataset's snapshots truly, whatever the clock
/// did.</param>
/// <param name="Creation">When the pool's clock said that it was made.</param>
/// <param name="Upload">What this tool noted about its upload; null for what other tools made, and for
/// bookmarks.</param>
/// <param name="IsHeld">Whether somebody holds it (<c>zfs hold</c>), so that it cannot be destroyed.</param>
/// <param name="Type">What this tool made it for; null where that is not noted.</param>
public sealed record LocalSnapshot(
    SnapshotName Name,
    SnapshotGuid Guid,
    ulong CreateTxg,
    DateTimeOffset Creation,
    UploadMark? Upload,
    bool IsHeld = false,
    SnapshotType? Type = null
);

/// <summary>The value of the user property that this tool sets on snapshots it makes.</summary>
public enum UploadMark
{
    /// <summary>Made for a backup that is not known to be on the server.</summary>
    Pending,

    /// <summary>The server has committed it.</summary>
    Committed,
}
