using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

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
    /// Whether a name is one that earlier versions gave to bookmarks: that of the snapshot. It does not say whose the
    /// bookmark is.
    /// </summary>
    public static bool IsOldBookmark(SnapshotName name, string prefix) =>
        name.IsBookmark
        && MarkOwner.FindTag(name) is null
        && name.Leaf.StartsWith(prefix + "-", StringComparison.Ordinal)
        && name.Leaf[(prefix.Length + 1)..].Split('-', 2) is [var type, { Length: > 0 }]
        && SnapshotTypes.TryParse(type) is not null;
}
