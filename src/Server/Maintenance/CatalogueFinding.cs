using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>A fault in catalogue or store; or, as a note, something that looks like one and needs no action.</summary>
internal sealed record CatalogueFinding
{
    /// <summary>One of <see cref="FindingKind"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>The backup's key; for an object that belongs to none, its own.</summary>
    public required string Key { get; init; }

    /// <summary>Null if the key is not a backup's.</summary>
    public string? SnapshotId { get; init; }

    public string? ClientId { get; init; }

    /// <summary>What is wrong, and what to do.</summary>
    public required string Message { get; init; }

    public static CatalogueFinding Of(string kind, string key, string message) =>
        new()
        {
            Kind = kind,
            Key = key,
            SnapshotId = StorageKey.SnapshotIdOf(key),
            ClientId = StorageKey.SnapshotIdOf(key) is null ? null : StorageKey.ClientIdOf(key),
            Message = message,
        };
}

/// <summary>Names for scripts; docs/server.md lists them.</summary>
internal static class FindingKind
{
    public const string ManifestUnreadable = "manifest_unreadable";
    public const string ManifestMisplaced = "manifest_misplaced";
    public const string ManifestMissing = "manifest_missing";
    public const string ManifestDiffers = "manifest_differs";
    public const string ObjectMissing = "object_missing";
    public const string ObjectSize = "object_size";
    public const string ObjectUnreadable = "object_unreadable";
    public const string OrphanObject = "orphan_object";
    public const string NotListed = "not_listed";
    public const string Duplicate = "duplicate";
    public const string BaseMissing = "base_missing";
    public const string PartDamaged = "part_damaged";
    public const string StreamDamaged = "stream_damaged";
    public const string UploadUnderWay = "upload_under_way";
    public const string DeletionUnderWay = "deletion_under_way";
}
