using ZfsSnapshotManager.Restore.Download;
using ZfsSnapshotManager.UnitTests.Chains;
using ZfsSnapshotManager.UnitTests.Manifests;

namespace ZfsSnapshotManager.UnitTests.Restore;

public sealed class ManifestHeadersTests
{
    [Fact]
    public void The_last_ones_are_known_and_no_more()
    {
        var headers = new ManifestHeaders();
        var backups = Enumerable.Range(1, 1000).Select(number => Backups.Full((ulong)number)).ToList();

        foreach (var backup in backups)
            headers.Add(backup, TestManifests.Make() with { UploadId = backup.SnapshotId });

        Assert.Equal(backups[^1].SnapshotId, headers.Find(backups[^1])?.UploadId);
        Assert.InRange(backups.Count(backup => headers.Find(backup) is not null), 10, 100);
    }
}
