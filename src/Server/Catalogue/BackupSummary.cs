namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>A client's backups in numbers.</summary>
internal sealed record BackupSummary
{
    public required int Count { get; init; }

    /// <summary>
    /// When the newest snapshot was made; a snapshot cannot be made after it arrived, so a later time counts as that of
    /// its arrival.
    /// </summary>
    public required DateTimeOffset? Newest { get; init; }

    /// <summary>When the last backup arrived.</summary>
    public required DateTimeOffset? NewestReceived { get; init; }

    /// <summary>Backups that were rotated and are to be deleted.</summary>
    public required int Expiring { get; init; }

    /// <summary>Backups whose own time is after their arrival: a clock was wrong.</summary>
    public required int Ahead { get; init; }
}
