namespace ZfsSnapshotManager.Server.ZfsStorage;

/// <summary>
/// User properties by which the server knows what is its own in ZFS. Names of datasets are for people and identify
/// nothing.
/// </summary>
internal static class ZfsStorageProperties
{
    /// <summary>On a received dataset: whose it is.</summary>
    public const string Client = "zfs-snapshot-manager:client";

    /// <summary>On a received dataset: the dataset that it was sent from.</summary>
    public const string Source = "zfs-snapshot-manager:source";

    /// <summary>
    /// On a received snapshot: what the catalogue knows of the backup, a <see cref="SnapshotNote"/> as JSON.
    /// </summary>
    public const string Note = "zfs-snapshot-manager:manifest";

    /// <summary>The most bytes that ZFS takes as a value: ZAP_MAXVALUELEN in include/sys/zap.h, with the NUL.</summary>
    public const int LongestValue = 8191;
}
