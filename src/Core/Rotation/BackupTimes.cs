using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;

namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>
/// Places in hours, days, weeks and months go by the times at which snapshots were made
/// (<see cref="BackupOrder.TimeOf"/>), as far as they are trusted: a client's clock may be wrong, or lie. A backup made
/// long before its receipt is <em>late</em>, and is rotated only among late backups. So a backup that claims an old
/// time cannot displace one that was received when it was made, and an imported history is kept by its own times. Which
/// backup is the newest of all, as for a restore, says <see cref="BackupOrder"/>.
/// </summary>
internal static class BackupTimes
{
    /// <summary>Longer than most uploads take.</summary>
    private static readonly TimeSpan LateAfter = TimeSpan.FromDays(7);

    public static bool IsLate(SnapshotInfo backup) => backup.ReceivedAt - backup.Timestamp > LateAfter;

    /// <summary>The newest first; the order in which they are given does not matter.</summary>
    public static IOrderedEnumerable<SnapshotInfo> NewestFirst(IEnumerable<SnapshotInfo> backups) =>
        backups
            .OrderByDescending(BackupOrder.TimeOf)
            .ThenByDescending(backup => backup.ReceivedAt)
            .ThenBy(backup => backup.SnapshotId, StringComparer.Ordinal);
}
