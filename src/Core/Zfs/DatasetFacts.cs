using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>A file system or volume, and what decides whether and how it can be sent.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsVolume">Whether it is a volume (zvol) and not a file system.</param>
/// <param name="IsEncrypted">Whether ZFS encrypts it, so that it can be sent raw.</param>
public sealed record DatasetFacts(DatasetName Name, bool IsVolume, bool IsEncrypted)
{
    /// <summary>
    /// Whether a first <c>zfs receive</c> into it is running or was interrupted. ZFS makes no snapshot of it
    /// (DS_IS_INCONSISTENT, dsl_dataset_snapshot_check_impl in module/zfs/dsl_dataset.c).
    /// </summary>
    public bool IsIncomplete { get; init; }

    /// <summary>Whether it was received without some of its blocks (<c>zfs send --redact</c>).</summary>
    public bool IsRedacted { get; init; }

    /// <summary>Whether programs of this project write to it, or to a dataset above it.</summary>
    public DatasetUse Use { get; init; }

    /// <summary>The dataset that has the mark of that use: this one, or one above it; null without a use.</summary>
    public string? MarkedDataset { get; init; }

    /// <summary>
    /// Where <c>com.sun:auto-snapshot=false</c> comes from, as <c>zfs get</c> writes it: <c>local</c>, <c>received</c>
    /// or <c>inherited from …</c>; null if it is not false.
    /// </summary>
    public string? NoAutoSnapshot { get; init; }
}
