using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Names for new snapshots: <c>PREFIX-hourly-2026-03-29_02:30:00Z</c>. In UTC, because a local hour occurs twice when
/// summer time ends. If the name exists all the same, a number is added.
/// </summary>
internal static class SnapshotNaming
{
    /// <returns>One name for each dataset, identical after the '@'.</returns>
    public static IReadOnlyList<SnapshotName> Choose(
        IEnumerable<DatasetName> datasets,
        string prefix,
        SnapshotType type,
        DateTimeOffset now,
        IEnumerable<SnapshotName> existing
    )
    {
        var leaves = existing.Select(name => name.Leaf).ToHashSet(StringComparer.Ordinal);
        var stem = $"{prefix}-{type.ToText()}-{Timestamps.ForName(now)}Z";
        var leaf = stem;
        for (var number = 2; leaves.Contains(leaf); number++)
            leaf = $"{stem}-{number}";
        return [.. datasets.Select(dataset => SnapshotName.Snapshot(dataset, leaf))];
    }

    /// <summary>
    /// Whether a name is one that this class chooses. Bookmarks have no user properties, so their name is the only
    /// sign.
    /// </summary>
    public static bool IsOwn(SnapshotName name, string prefix) =>
        name.Leaf.StartsWith(prefix + "-", StringComparison.Ordinal)
        && name.Leaf[(prefix.Length + 1)..].Split('-', 2) is [var type, { Length: > 0 }]
        && SnapshotTypes.TryParse(type) is not null;
}
