using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>The backups that a restore receives.</summary>
/// <param name="Backups">The full one first.</param>
/// <param name="Names">The names that their snapshots get.</param>
/// <param name="All">All backups on the server.</param>
internal sealed record ReceivedChain(
    IReadOnlyList<SnapshotInfo> Backups,
    IReadOnlyList<SnapshotName> Names,
    IReadOnlyList<SnapshotInfo> All
);
