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
    /// <summary>What the names of a moment begin with.</summary>
    public static string StemOf(string prefix, SnapshotType type, DateTimeOffset now) =>
        $"{prefix}-{type.ToText()}-{Timestamps.ForName(now)}Z";

    /// <param name="stem">What it begins with.</param>
    /// <param name="existing">What snapshots and bookmarks have behind the '@' or '#'.</param>
    /// <returns>What stands behind the '@', for all datasets.</returns>
    public static string Choose(string stem, IReadOnlySet<string> existing)
    {
        var leaf = stem;
        for (var number = 2; existing.Contains(leaf); number++)
            leaf = $"{stem}-{number}";
        return leaf;
    }

    /// <summary>
    /// A bookmark's name without its owner: the name of its snapshot, which may be gone. A name is not used again.
    /// </summary>
    public static string LeafOf(SnapshotName name) =>
        MarkOwner.FindTag(name) is { } tag ? name.Leaf[..^(tag.Length + 1)] : name.Leaf;

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
