using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Backups that the server acknowledged to this client and does not list any more, although no rotation deletes them:
/// it always keeps the newest of a dataset. Such a server lost them, or was brought back from an older copy.
/// </summary>
internal static class LostBackups
{
    /// <param name="local">Snapshots and bookmarks of a dataset.</param>
    /// <param name="remote">The client's backups that decide about it.</param>
    /// <param name="identity">Who asks: what another server acknowledged is not lost here.</param>
    /// <returns>The snapshots or bookmarks that tell of them, the newest first.</returns>
    public static IReadOnlyList<LocalSnapshot> Find(
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote,
        ClientIdentity identity
    )
    {
        var listed = remote.Select(backup => backup.SnapshotGuid).ToHashSet();
        var newest = local
            .Where(snapshot => listed.Contains(snapshot.Guid))
            .Select(snapshot => (ulong?)snapshot.CreateTxg)
            .Max();
        return
        [
            .. local
                .Where(snapshot => newest is null || snapshot.CreateTxg > newest)
                .Where(IsAcknowledged)
                .OrderByDescending(snapshot => snapshot.CreateTxg)
                .ThenBy(snapshot => snapshot.Name.IsBookmark)
                .DistinctBy(snapshot => snapshot.Guid),
        ];

        bool IsAcknowledged(LocalSnapshot snapshot) =>
            snapshot.Name.IsBookmark
                ? identity.Owners.Any(owner => owner.OwnsBookmark(snapshot.Name))
                : snapshot.Upload is { IsPending: false } mark && identity.Owns(mark);
    }

    /// <summary>What to do about them.</summary>
    public const string Remedy =
        "On the server, 'zfs-server catalogue check' shows what is stored and not listed, and 'zfs-server catalogue "
        + "rebuild' lists it again.";

    /// <param name="dataset">The dataset.</param>
    /// <param name="lost">What <see cref="Find"/> returned; at least one.</param>
    public static string Describe(DatasetName dataset, IReadOnlyList<LocalSnapshot> lost) =>
        $"{dataset}: the server no longer lists {lost.Count} {(lost.Count == 1 ? "backup" : "backups")} that it had "
        + $"acknowledged, the newest of {lost[0].Name}. It lost them, or was brought back from an older copy";
}
