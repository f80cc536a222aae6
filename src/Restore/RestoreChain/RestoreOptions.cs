namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>What is asked of a restore.</summary>
internal sealed record RestoreOptions
{
    /// <summary>Whether an existing dataset may be replaced.</summary>
    public bool Force { get; init; }

    /// <summary>Whether to discard what an earlier run received.</summary>
    public bool Restart { get; init; }

    /// <summary>Whether descendants are restored too.</summary>
    public bool Recursive { get; init; }

    /// <summary>Whether stored properties are set.</summary>
    public bool Properties { get; init; }

    /// <summary>Names of datasets that are left out, with their descendants.</summary>
    public IReadOnlyList<string> Excluded { get; init; } = [];

    /// <summary>The datasets that are restored, by their names behind that of the root; its own is empty.</summary>
    public IReadOnlySet<string> Members { get; init; } = new HashSet<string>(StringComparer.Ordinal) { "" };

    /// <summary>Encryption of backups that are not raw.</summary>
    public PlainEncryption Encryption { get; init; }
}

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
