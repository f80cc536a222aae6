using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>What a restore did.</summary>
internal sealed record RestoreResult
{
    public required string Dataset { get; init; }

    public required SnapshotInfo Backup { get; init; }

    /// <summary>The chain, in the order in which it was received.</summary>
    public required IReadOnlyList<string> Received { get; init; }

    /// <summary>Left out if it was not interrupted before.</summary>
    public ResumedRestore? Resumed { get; init; }

    /// <summary>Where it is mounted again, in the place of the dataset that it replaced; otherwise left out.</summary>
    public string? MountedAt { get; init; }

    /// <summary>Restored backups of descendant datasets; left out unless --recursive was given.</summary>
    public IReadOnlyList<string>? Children { get; init; }

    /// <summary>Descendant datasets without a backup of this snapshot; left out unless --recursive was given.</summary>
    public IReadOnlyList<string>? Missing { get; init; }

    /// <summary>Which properties were restored, and which differ; the root first, then its descendants.</summary>
    public required IReadOnlyList<RestoredProperties> Properties { get; init; }
}
