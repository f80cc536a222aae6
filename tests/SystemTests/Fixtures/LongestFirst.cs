using Xunit.Sdk;
using Xunit.v3;
using ZfsSnapshotManager.SystemTests.Fixtures;

[assembly: TestCollectionOrderer(typeof(LongestFirst))]

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// Starts the collections that take longest before the others, so that a run does not end with one of them alone.
/// </summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    /// <summary>Collections by name, and classes that are collections by themselves.</summary>
    private static readonly string[] Long =
    [
        "zfs-2",
        "zfs",
        "s3",
        "Backups.DemoTests",
        "Crashes.CommitCrashTests",
        "Parts.NetworkFaultTests",
        "Parts.DeadConnectionTests",
        "Datasets.OneOfManyTests",
        "Trust.LyingServerTests",
        "Restores.KilledRestoreTests",
        "Backups.InterruptedBackupTests",
        "Servers.CatalogueCommandTests",
        "Backups.ClientMemoryTests",
        "Backups.ManyBackupsMemoryTests",
        "Crashes.RandomKillTests",
    ];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(
        IReadOnlyCollection<TTestCollection> testCollections
    )
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(PlaceOf).ThenBy(collection => collection.UniqueID, StringComparer.Ordinal)];

    private static int PlaceOf<TTestCollection>(TTestCollection collection)
        where TTestCollection : ITestCollection
    {
        var name = collection.TestCollectionDisplayName;
        var place = Array.FindIndex(Long, known =>
            name == known || name.Contains($".{known} ", StringComparison.Ordinal)
        );
        return place < 0 ? Long.Length : place;
    }
}
