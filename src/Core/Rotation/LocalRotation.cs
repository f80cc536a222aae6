using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>
/// Which snapshots and bookmarks of a dataset stay on its machine: of each class the newest; what this tool did not
/// make is never touched. Decided from lists alone, without I/O.
/// </summary>
public static class LocalRotation
{
    /// <param name="local">Snapshots and bookmarks of one dataset.</param>
    /// <param name="policy">How many of each class stay.</param>
    /// <param name="onServer">Snapshots that the server has a restorable backup of; null where nobody could ask
    /// it.</param>
    /// <param name="isOwnBookmark">Whether a bookmark was made by this tool: bookmarks carry no properties, only their
    /// names tell.</param>
    /// <returns>One decision for each, the newest first.</returns>
    public static IReadOnlyList<RotationDecision<LocalSnapshot>> Plan(
        IReadOnlyCollection<LocalSnapshot> local,
        RotationPolicy policy,
        IReadOnlySet<SnapshotGuid>? onServer,
        Predicate<SnapshotName> isOwnBookmark
    )
    {
        var newestFirst = local
            .OrderByDescending(snapshot => snapshot.CreateTxg)
            .ThenBy(snapshot => snapshot.Name.ToString(), StringComparer.Ordinal)
            .ToList();
        var newestBase = newestFirst.Find(snapshot => onServer?.Contains(snapshot.Guid) == true)?.Guid;
        var places = newestFirst
            .Where(snapshot => !snapshot.Name.IsBookmark && snapshot.Type is { } type && type != SnapshotType.Manual)
            .GroupBy(snapshot => snapshot.Type!.Value)
            .SelectMany(type => type.Select((snapshot, index) => (snapshot, index)))
            .ToDictionary(place => place.snapshot, place => place.index);
        return [.. newestFirst.Select(snapshot => Decide(snapshot))];

        RotationDecision<LocalSnapshot> Decide(LocalSnapshot snapshot)
        {
            var reason = snapshot.Name.IsBookmark ? WhyBookmarkStays(snapshot) : WhySnapshotStays(snapshot);
            return new RotationDecision<LocalSnapshot>(
                snapshot,
                reason is not null,
                reason
                    ?? (
                        snapshot.Name.IsBookmark
                            ? "the server no longer has its snapshot"
                            : $"{policy.Keep(snapshot.Type!.Value)} newer {snapshot.Type.Value.ToText()} ones are there"
                    )
            );
        }

        string? WhySnapshotStays(LocalSnapshot snapshot)
        {
            if (snapshot.Upload is null && snapshot.Type is null)
                return "this tool did not make it";
            if (!places.TryGetValue(snapshot, out var place))
                return "it is of no class";
            if (place == 0)
                return $"the newest {snapshot.Type!.Value.ToText()} one";
            if (place < policy.Keep(snapshot.Type!.Value))
                return $"{snapshot.Type.Value.ToText()} {place + 1} of {policy.Keep(snapshot.Type.Value)}";
            if (snapshot.IsHeld)
                return "somebody holds it (zfs holds)";
            return snapshot.Guid == newestBase ? "the next incremental backup starts from it" : null;
        }

        string? WhyBookmarkStays(LocalSnapshot bookmark)
        {
            if (!isOwnBookmark(bookmark.Name))
                return "this tool did not make it";
            if (bookmark.Guid == newestBase)
                return "the next incremental backup starts from it";
            if (newestBase is null)
                return "it may be needed: no snapshot is known to be on the server";
            return onServer!.Contains(bookmark.Guid) ? "the server has its snapshot" : null;
        }
    }
}
