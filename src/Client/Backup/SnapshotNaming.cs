using System.Globalization;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>Names for new snapshots: <c>PREFIX-manual-2026-03-29_02:30:00Z</c>. UTC, so that no hour comes twice a year; a number is added where the name is taken all the same.</summary>
internal static class SnapshotNaming
{
    public static SnapshotName Choose(DatasetName dataset, string prefix, DateTimeOffset now, IEnumerable<SnapshotName> taken)
    {
        var leaves = taken.Select(name => name.Leaf).ToHashSet(StringComparer.Ordinal);
        var stem = string.Create(CultureInfo.InvariantCulture, $"{prefix}-manual-{now.UtcDateTime:yyyy-MM-dd_HH:mm:ss}Z");
        var leaf = stem;
        for (var number = 2; leaves.Contains(leaf); number++) leaf = $"{stem}-{number}";
        return SnapshotName.Snapshot(dataset, leaf);
    }
}
