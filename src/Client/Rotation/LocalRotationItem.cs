using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Rotation;

/// <summary>The decision on one snapshot or bookmark.</summary>
internal sealed record LocalRotationItem
{
    /// <summary>The action of what ZFS refused to destroy.</summary>
    public const string Failed = "failed";

    public required string Name { get; init; }

    public required SnapshotType? SnapshotType { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary><c>keep</c>, <c>destroy</c> or <c>failed</c>.</summary>
    public required string Action { get; init; }

    public required string Reason { get; init; }
}
