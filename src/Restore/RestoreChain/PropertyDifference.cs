namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>A property in which a restored dataset differs from its source.</summary>
internal sealed record PropertyDifference
{
    public required string Property { get; init; }

    /// <summary>The value that the source had.</summary>
    public required string SourceValue { get; init; }

    /// <summary>The value that the restored dataset has.</summary>
    public required string RestoredValue { get; init; }

    /// <summary>What the property decides, human-readable.</summary>
    public required string Decides { get; init; }
}
