using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Core.Chains;

/// <summary>
/// Whether <c>zfs receive</c> takes an incremental on top of a backup that holds its base. Having the right GUID is not
/// enough.
/// </summary>
public static class ChainLink
{
    /// <param name="backup">Holds the snapshot that the incremental starts from.</param>
    /// <param name="features">The incremental stream's.</param>
    /// <remarks>What has the same features always fits; backups that are listed together share their lists.</remarks>
    public static bool Fits(SnapshotInfo backup, IReadOnlyCollection<string> features) =>
        ReferenceEquals(backup.Features, features) || FindObstacle(backup, features) is null;

    /// <summary>Why it does not fit, for people; null where it does.</summary>
    public static string? FindObstacle(SnapshotInfo backup, IReadOnlyCollection<string> features)
    {
        // Raw and other streams do not mix in a chain (openzfs#8375).
        if (Has(backup.Features, nameof(StreamFeatures.Raw)) != Has(features, nameof(StreamFeatures.Raw)))
            return Has(features, nameof(StreamFeatures.Raw))
                ? "the stream is raw and the base is not"
                : "the base is raw and the stream is not";

        // dmu_recv.c, recv_check_large_blocks: once there are large blocks, all that follows must be sent with -L.
        if (
            Has(backup.Features, nameof(StreamFeatures.LargeBlocks))
            && !Has(features, nameof(StreamFeatures.LargeBlocks))
        )
            return "the base was sent with -L and the stream was not";

        // dmu_recv.c, redact_check: what was left out of a redacted snapshot is missing for others.
        return Has(backup.Features, nameof(StreamFeatures.Redacted)) && !Has(features, nameof(StreamFeatures.Redacted))
            ? "the base is redacted and the stream is not"
            : null;
    }

    private static bool Has(IReadOnlyCollection<string> features, string feature) =>
        features.Contains(feature, StringComparer.Ordinal);
}
