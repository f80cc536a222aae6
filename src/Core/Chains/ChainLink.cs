using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Core.Chains;

/// <summary>
/// Decides whether <c>zfs receive</c> accepts an incremental on top of a backup that holds its base. The right GUID is
/// not enough.
/// </summary>
public static class ChainLink
{
    /// <param name="backup">The backup that holds the snapshot from which the incremental starts.</param>
    /// <param name="features">The features of the incremental stream.</param>
    /// <remarks>Equal features always fit; backups that are listed together share their lists of features.</remarks>
    public static bool Fits(SnapshotInfo backup, IReadOnlyCollection<string> features) =>
        ReferenceEquals(backup.Features, features) || FindObstacle(backup, features) is null;

    /// <summary>Returns why it does not fit, human-readable; null if it does.</summary>
    public static string? FindObstacle(SnapshotInfo backup, IReadOnlyCollection<string> features)
    {
        // Raw and other streams do not mix in a chain (openzfs#8375).
        if (Has(backup.Features, nameof(StreamFeatures.Raw)) != Has(features, nameof(StreamFeatures.Raw)))
            return Has(features, nameof(StreamFeatures.Raw))
                ? "the stream is raw and the base is not"
                : "the base is raw and the stream is not";

        // dmu_recv.c, recv_check_large_blocks: after large blocks, every stream must be sent with -L.
        if (
            Has(backup.Features, nameof(StreamFeatures.LargeBlocks))
            && !Has(features, nameof(StreamFeatures.LargeBlocks))
        )
            return "the base was sent with -L and the stream was not";

        // dmu_recv.c, redact_check: blocks that were left out of a redacted snapshot are missing for other streams.
        return Has(backup.Features, nameof(StreamFeatures.Redacted)) && !Has(features, nameof(StreamFeatures.Redacted))
            ? "the base is redacted and the stream is not"
            : null;
    }

    private static bool Has(IReadOnlyCollection<string> features, string feature) =>
        features.Contains(feature, StringComparer.Ordinal);
}
