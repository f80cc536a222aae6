namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>How a backup that is not raw is encrypted where it is restored.</summary>
internal enum PlainEncryption
{
    /// <summary>Not encrypted if its source was not.</summary>
    AsSource,

    /// <summary>As the dataset in which it is created.</summary>
    Inherit,

    /// <summary>Not encrypted.</summary>
    Off,
}
