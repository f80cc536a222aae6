using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>
/// How far a backup's own time is believed: a client's clock may be wrong, or lie. A snapshot cannot be made after its
/// backup was received, so a later time counts as that. One made long before is <em>late</em>: it is rotated only among
/// those that are late too, so that no backup that came when it said can be displaced by one that claims an old time,
/// and an imported history is kept by its own times.
/// </summary>
internal static class BackupTimes
{
    /// <summary>Longer than most uploads take.</summary>
    private static readonly TimeSpan LateAfter = TimeSpan.FromDays(7);

    public static DateTimeOffset Of(SnapshotInfo backup) =>
        backup.Timestamp < backup.ReceivedAt ? backup.Timestamp : backup.ReceivedAt;

    public static bool IsLate(SnapshotInfo backup) => backup.ReceivedAt - backup.Timestamp > LateAfter;

    /// <summary>The newest first; always in the same order, whatever order they are given in.</summary>
    public static IOrderedEnumerable<SnapshotInfo> NewestFirst(IEnumerable<SnapshotInfo> backups) =>
        backups
            .OrderByDescending(Of)
            .ThenByDescending(backup => backup.ReceivedAt)
            .ThenBy(backup => backup.SnapshotId, StringComparer.Ordinal);
}
