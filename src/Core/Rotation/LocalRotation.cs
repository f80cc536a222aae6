using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>
/// Decides which snapshots and bookmarks of a dataset stay on its machine: the newest of each class. What this tool did
/// not make always stays. Decided from lists alone, without I/O.
/// </summary>
public sealed class LocalRotation
{
    private readonly RotationPolicy _policy;
    private readonly IReadOnlySet<SnapshotGuid> _onServer;
    private readonly Predicate<SnapshotName> _isOwnBookmark;

    /// <summary>Snapshots and bookmarks, the newest first.</summary>
    private readonly List<LocalSnapshot> _newestFirst;

    /// <summary>For each snapshot that has a class, how many of its class are newer.</summary>
    private readonly Dictionary<LocalSnapshot, int> _newerOfClass;

    /// <summary>
    /// What the next incremental backup starts from; null if no snapshot is known to be on the server.
    /// </summary>
    private readonly SnapshotGuid? _newestBase;

    private LocalRotation(
        IReadOnlyCollection<LocalSnapshot> local,
        RotationPolicy policy,
        IReadOnlySet<SnapshotGuid>? onServer,
        Predicate<SnapshotName> isOwnBookmark
    )
    {
        _policy = policy;
        _onServer = onServer ?? new HashSet<SnapshotGuid>();
        _isOwnBookmark = isOwnBookmark;
        _newestFirst =
        [
            .. local
                .OrderByDescending(snapshot => snapshot.CreateTxg)
                .ThenBy(snapshot => snapshot.Name.ToString(), StringComparer.Ordinal),
        ];
        _newestBase = _newestFirst.Find(snapshot => _onServer.Contains(snapshot.Guid))?.Guid;
        _newerOfClass = [];
        foreach (var ofClass in _newestFirst.Where(HasClass).GroupBy(snapshot => snapshot.Type))
        {
            foreach (var (index, snapshot) in ofClass.Index())
                _newerOfClass.Add(snapshot, index);
        }
    }

    /// <param name="local">Snapshots and bookmarks of one dataset.</param>
    /// <param name="policy">How many of each class stay.</param>
    /// <param name="onServer">Snapshots of which the server has a restorable backup; null if it could not be
    /// asked.</param>
    /// <param name="isOwnBookmark">Whether this tool made a bookmark. Bookmarks have no user properties, so that only
    /// their names tell.</param>
    /// <returns>One decision for each, the newest first.</returns>
    public static IReadOnlyList<RotationDecision<LocalSnapshot>> Plan(
        IReadOnlyCollection<LocalSnapshot> local,
        RotationPolicy policy,
        IReadOnlySet<SnapshotGuid>? onServer,
        Predicate<SnapshotName> isOwnBookmark
    )
    {
        var rotation = new LocalRotation(local, policy, onServer, isOwnBookmark);
        return
        [
            .. rotation._newestFirst.Select(snapshot =>
                snapshot.Name.IsBookmark ? rotation.DecideBookmark(snapshot) : rotation.DecideSnapshot(snapshot)
            ),
        ];
    }

    private static bool HasClass(LocalSnapshot snapshot) =>
        !snapshot.Name.IsBookmark && snapshot.Type is not (null or SnapshotType.Manual);

    private RotationDecision<LocalSnapshot> DecideSnapshot(LocalSnapshot snapshot)
    {
        if (snapshot.Upload is null && snapshot.Type is null)
            return Keep(snapshot, "this tool did not make it");
        if (!_newerOfClass.TryGetValue(snapshot, out var newer))
            return Keep(snapshot, "it has no class");
        var type = snapshot.Type!.Value;
        var count = _policy.Keep(type);
        if (newer == 0)
            return Keep(snapshot, $"the newest {type.ToText()} snapshot");
        if (newer < count)
            return Keep(snapshot, $"{type.ToText()} {newer + 1} of {count}");
        if (snapshot.IsHeld)
            return Keep(snapshot, "somebody holds it (zfs holds)");
        return snapshot.Guid == _newestBase
            ? Keep(snapshot, "the next incremental backup starts from it")
            : Destroy(snapshot, $"{count} newer {type.ToText()} snapshots exist");
    }

    private RotationDecision<LocalSnapshot> DecideBookmark(LocalSnapshot bookmark)
    {
        if (!_isOwnBookmark(bookmark.Name))
            return Keep(bookmark, "this tool did not make it");
        if (_newestBase is null)
            return Keep(bookmark, "it may be needed: no snapshot is known to be on the server");
        if (bookmark.Guid == _newestBase)
            return Keep(bookmark, "the next incremental backup starts from it");
        return _onServer.Contains(bookmark.Guid)
            ? Keep(bookmark, "the server has its snapshot")
            : Destroy(bookmark, "the server no longer has its snapshot");
    }

    private static RotationDecision<LocalSnapshot> Keep(LocalSnapshot snapshot, string reason) =>
        new(snapshot, true, reason);

    private static RotationDecision<LocalSnapshot> Destroy(LocalSnapshot snapshot, string reason) =>
        new(snapshot, false, reason);
}
