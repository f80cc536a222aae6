using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>Chooses the names of a run's new snapshots: one moment, one name behind the '@'.</summary>
internal sealed class SnapshotNames(ClientSettings settings, TimeProvider time)
{
    /// <param name="datasets">The datasets.</param>
    /// <param name="type">What the snapshots are made for.</param>
    /// <returns>What stands behind the '@'.</returns>
    public async Task<string> ChooseAsync(
        IEnumerable<DatasetFacts> datasets,
        SnapshotType type,
        CancellationToken cancellationToken
    )
    {
        var stem = SnapshotNaming.StemOf(settings.SnapshotPrefix, type, time.GetUtcNow());
        var existing = new HashSet<string>(StringComparer.Ordinal);
        await settings.Zfs.ReadSnapshotsAsync(
            datasets.Select(dataset => dataset.Name),
            snapshot =>
            {
                var leaf = SnapshotNaming.LeafOf(snapshot.Name);
                if (leaf.StartsWith(stem, StringComparison.Ordinal))
                    existing.Add(leaf);
            },
            cancellationToken
        );
        return SnapshotNaming.Choose(stem, existing);
    }
}
