namespace ZfsSnapshotManager.Restore.Mounting;

/// <summary>What <c>mount</c> did.</summary>
internal sealed record MountResult
{
    public required string Dataset { get; init; }

    public required string Mountpoint { get; init; }

    public required bool Writable { get; init; }

    /// <summary>The datasets below it, parents before children.</summary>
    public required IReadOnlyList<MountedChild> Children { get; init; }
}

/// <summary>A dataset below the one that is mounted.</summary>
internal sealed record MountedChild
{
    public required string Dataset { get; init; }

    /// <summary>Where it is mounted; left out if it is not.</summary>
    public string? Mountpoint { get; init; }

    /// <summary>Why it is not mounted; left out if it is.</summary>
    public string? Reason { get; init; }
}
