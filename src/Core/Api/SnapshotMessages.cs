using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>One committed backup.</summary>
public sealed record SnapshotInfo
{
    /// <summary>The storage key without its extension.</summary>
    public required string SnapshotId { get; init; }

    public required string StorageKey { get; init; }

    [JsonConverter(typeof(SharedTextConverter))]
    public required string DatasetName { get; init; }

    public required string SnapshotName { get; init; }

    public required SnapshotGuid SnapshotGuid { get; init; }

    /// <summary>Null, and left out in JSON, for a full backup.</summary>
    public SnapshotGuid? FromGuid { get; init; }

    /// <summary><c>filesystem</c> or <c>volume</c>.</summary>
    [JsonConverter(typeof(SharedTextConverter))]
    public required string DatasetType { get; init; }

    /// <summary>When the snapshot was made, by its stream.</summary>
    public required DateTimeOffset Timestamp { get; init; }

    /// <summary>When the server committed it.</summary>
    public required DateTimeOffset ReceivedAt { get; init; }

    /// <summary>Stored bytes.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>Bytes of the stream before compression.</summary>
    public required long StreamBytes { get; init; }

    [JsonConverter(typeof(SharedTextConverter))]
    public required string Compression { get; init; }

    public required bool Raw { get; init; }

    /// <summary>The stream's feature flags by name.</summary>
    [JsonConverter(typeof(SharedTextsConverter))]
    public required IReadOnlyList<string> Features { get; init; }

    [JsonConverter(typeof(SharedTextsConverter))]
    public required IReadOnlyList<string> SendFlags { get; init; }

    /// <summary>SHA-256 of the stored bytes, lower-case hex; left out if they were sent in parts.</summary>
    public string? Sha256 { get; init; }

    /// <summary>SHA-256 of the parts' SHA-256, lower-case hex; also the ETag of the download.</summary>
    public required string PartsSha256 { get; init; }

    /// <summary>The retention deadline of the store; left out if the backup is not locked.</summary>
    public DateTimeOffset? LockedUntil { get; init; }

    /// <summary>The class of the snapshot, in which rotation counts it.</summary>
    public SnapshotType SnapshotType { get; init; }

    /// <summary>Whether rotation must not delete it; left out in JSON if false.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Pinned { get; init; }

    /// <summary>When a rotated backup will be deleted, unless an administrator keeps it; left out for others.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>One of <see cref="StorageTypes"/>.</summary>
    [JsonConverter(typeof(SharedTextConverter))]
    public string StorageType { get; init; } = StorageTypes.Objects;

    /// <summary>The machine that it comes from; left out if its client did not say.</summary>
    public string? MachineId { get; init; }

    public string? MachineName { get; init; }

    /// <summary>False if the server will not accept an incremental based on it; otherwise left out.</summary>
    public bool? CanBeBase { get; init; }

    /// <summary>Whether it is a snapshot in ZFS: it restores alone, and its stream is made on request.</summary>
    [JsonIgnore]
    public bool IsLocal => StorageType == StorageTypes.Local;

    [JsonIgnore]
    public bool IsIncremental => FromGuid is not null;
}

public sealed record SnapshotsAnswer : ApiAnswer
{
    /// <summary>The catalogue's id; older servers do not tell it.</summary>
    public string? ServerId { get; init; }

    /// <summary>The one that arrived last first.</summary>
    public required IReadOnlyList<SnapshotInfo> Snapshots { get; init; }
}
