using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>Datasets that exist, and those of which ZFS says why they cannot be listed.</summary>
/// <param name="Datasets">Each once, parents before children.</param>
/// <param name="Failures">Names, as ZFS or the caller has them, each with its failure.</param>
public sealed record DatasetListing(
    IReadOnlyList<DatasetFacts> Datasets,
    IReadOnlyList<(string Name, OperationException Failure)> Failures
);
