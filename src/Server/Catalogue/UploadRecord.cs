using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// An upload that was asked for and is not committed. What the client did not say is null and will be read from the
/// stream.
/// </summary>
internal sealed record UploadRecord
{
    public required string UploadId { get; init; }

    public required string ClientId { get; init; }

    /// <summary>Reserved: no other upload or backup has it.</summary>
    public required string SnapshotId { get; init; }

    /// <summary>
    /// Of the object; in ZFS the client's dataset, and once the stream began the name of the snapshot that it becomes.
    /// </summary>
    public required string StorageKey { get; init; }

    /// <summary>One of <see cref="StorageTypes"/>.</summary>
    public string StorageType { get; init; } = StorageTypes.Objects;

    public bool IsLocal => StorageType == StorageTypes.Local;

    /// <summary>
    /// What a backup in ZFS will be, noted before the stream's END is handed on: <see cref="LocalNote"/>
    /// as JSON.
    /// </summary>
    public string? Note { get; init; }

    public required DatasetName DatasetName { get; init; }

    public required string? SnapshotName { get; init; }

    public required SnapshotGuid? SnapshotGuid { get; init; }

    /// <summary>
    /// True where the client said full or incremental, so that <see cref="FromGuid"/> null means full.
    /// </summary>
    public required bool KindIsGiven { get; init; }

    public required SnapshotGuid? FromGuid { get; init; }

    public required CompressionFormat Compression { get; init; }

    public required bool? Raw { get; init; }

    public required IReadOnlyList<string> SendFlags { get; init; }

    /// <summary>
    /// What the stream itself says that it starts from; null for a full one, and before its BEGIN came.
    /// </summary>
    public SnapshotGuid? BaseGuid { get; init; }

    /// <summary>What the snapshot was made for, as its client says.</summary>
    public required SnapshotType SnapshotType { get; init; }

    /// <summary>The dataset's own properties, for the manifest; null where the client did not say.</summary>
    public IReadOnlyDictionary<string, string>? Properties { get; init; }

    /// <summary>How the last attempt to send the stream ended.</summary>
    public ApiError? LastError { get; init; }

    /// <summary>When somebody last worked on it.</summary>
    public DateTimeOffset TouchedAt { get; init; }
}
