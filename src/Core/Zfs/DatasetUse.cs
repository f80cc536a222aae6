namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>What programs of this project use a dataset for.</summary>
public enum DatasetUse
{
    None,

    /// <summary>
    /// A restore that is not finished: a snapshot would be in the way of its next <c>zfs receive</c>.
    /// </summary>
    Restore,

    /// <summary>
    /// A server stores backups in it: a snapshot would be in the way of the next one.
    /// </summary>
    Storage,
}
