using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>POST /rotate. Every field is optional, and so is the body.</summary>
public sealed record RotateRequest
{
    public string? ClientId { get; init; }

    public string? ApiKey { get; init; }

    /// <summary>Changes nothing; the answer says what would be deleted.</summary>
    public bool DryRun { get; init; }

    /// <summary>
    /// The machine that asks. Backups of datasets whose newest backup comes from another machine are kept.
    /// </summary>
    public string? MachineId { get; init; }

    /// <summary>The client's own policy, which counts if the server has none for the client.</summary>
    public RotationPolicy? RotationPolicy { get; init; }
}

public sealed record RotateAnswer : ApiAnswer
{
    public required bool DryRun { get; init; }

    public required int DeletedCount { get; init; }

    /// <summary>Stored bytes of what was deleted.</summary>
    public required long ReclaimedBytes { get; init; }

    /// <summary>Backups that will be deleted later.</summary>
    public required int ExpiringCount { get; init; }

    /// <summary>The policy that was applied; left out if only the quota decides.</summary>
    public RotationPolicy? RotationPolicy { get; init; }

    public required bool ServerManaged { get; init; }

    /// <summary>The decisions on the backups; on those that stay only in a dry run.</summary>
    public required IReadOnlyList<RotationItem> Decisions { get; init; }
}

/// <summary>The decision on one backup.</summary>
public sealed record RotationItem
{
    public required string SnapshotId { get; init; }

    public required string DatasetName { get; init; }

    public required string SnapshotName { get; init; }

    public required SnapshotType SnapshotType { get; init; }

    public required DateTimeOffset Timestamp { get; init; }

    public required long SizeBytes { get; init; }

    /// <summary><c>keep</c>, <c>delete</c>, or <c>expire</c> (deleted later).</summary>
    public required string Action { get; init; }

    public required string Reason { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }
}

/// <summary>GET /rotation-policy.</summary>
public sealed record RotationPolicyAnswer : ApiAnswer
{
    public required RotationPolicy RotationPolicy { get; init; }

    /// <summary>
    /// False: the server has no policy for the client, so the client's own counts; these are defaults.
    /// </summary>
    public required bool ServerManaged { get; init; }
}
