using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Server.ZfsStorage;

/// <summary>
/// User properties by which the server identifies what it received. Names of datasets are human-readable and identify
/// nothing.
/// </summary>
internal static class ZfsStorageProperties
{
    /// <summary>On a received dataset: the client that it belongs to.</summary>
    public const string Client = DatasetLister.StorageProperty;

    /// <summary>On a received dataset: the dataset from which it was sent.</summary>
    public const string Source = "zfs-snapshot-manager:source";

    /// <summary>
    /// On a received snapshot: what the catalogue lists of the backup, a <see cref="SnapshotNote"/> as JSON.
    /// </summary>
    public const string Note = "zfs-snapshot-manager:manifest";

    /// <summary>On a client's dataset: the quota that the server set, to tell it from an administrator's.</summary>
    public const string Quota = "zfs-snapshot-manager:quota";

    /// <summary>The most bytes of a value: ZAP_MAXVALUELEN in include/sys/zap.h, with the NUL.</summary>
    public const int LongestValue = 8191;
}
