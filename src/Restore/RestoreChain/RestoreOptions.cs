namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>What is asked of a restore.</summary>
internal sealed record RestoreOptions
{
    /// <summary>Whether an existing dataset may be replaced.</summary>
    public bool Force { get; init; }

    /// <summary>
    /// Whether the user named the backup so that it can be no other dataset's than the user means: not by a number.
    /// </summary>
    public bool IsNamed { get; init; }

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
