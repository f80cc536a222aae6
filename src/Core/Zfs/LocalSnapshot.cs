using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>A snapshot or bookmark of a dataset that is backed up.</summary>
/// <param name="Name">Its full name.</param>
/// <param name="Guid">Equal for a snapshot and its bookmark.</param>
/// <param name="CreateTxg">The pool's transaction group when it was made. It orders a dataset's snapshots correctly,
/// even if the clock was changed.</param>
/// <param name="Creation">When it was made, by the clock of its machine.</param>
/// <param name="Upload">The state of its upload that this tool noted; null if another tool made it, and for
/// bookmarks.</param>
/// <param name="IsHeld">Whether it is held (<c>zfs hold</c>), so that it cannot be destroyed.</param>
/// <param name="Type">What this tool made it for; null if that is not noted.</param>
public sealed record LocalSnapshot(
    SnapshotName Name,
    SnapshotGuid Guid,
    ulong CreateTxg,
    DateTimeOffset Creation,
    UploadMark? Upload,
    bool IsHeld = false,
    SnapshotType? Type = null
);

/// <summary>The value of the user property <see cref="ZfsDataset.UploadProperty"/>.</summary>
public enum UploadMark
{
    /// <summary>Made for a backup of which it is not known that the server has it.</summary>
    Pending,

    /// <summary>The server has committed it.</summary>
    Committed,
}
