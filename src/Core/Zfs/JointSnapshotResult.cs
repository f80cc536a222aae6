using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>What became of joint snapshots.</summary>
/// <param name="Created">The snapshots that were made.</param>
/// <param name="Failures">The datasets of which none was made, and why.</param>
/// <param name="Scattered">Pools whose snapshots are not of one moment: they were too many for one command, or ZFS did
/// not say which dataset it refused.</param>
public sealed record JointSnapshotResult(
    IReadOnlyList<LocalSnapshot> Created,
    IReadOnlyDictionary<DatasetName, OperationException> Failures,
    IReadOnlyList<string> Scattered
)
{
    /// <summary>Several results as one.</summary>
    public static JointSnapshotResult Of(IReadOnlyCollection<JointSnapshotResult> results) =>
        new(
            [.. results.SelectMany(result => result.Created)],
            results.SelectMany(result => result.Failures).ToDictionary(),
            [.. results.SelectMany(result => result.Scattered)]
        );
}
