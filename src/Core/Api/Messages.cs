using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>What every answer has; docs/http-api.md describes each message.</summary>
public record ApiAnswer
{
    [JsonPropertyOrder(-2)]
    public required bool Success { get; init; }

    [JsonPropertyOrder(-1)]
    public required string Message { get; init; }
}

/// <summary>An answer with an error's status.</summary>
public sealed record ApiError : ApiAnswer
{
    /// <summary>The HTTP status that it came with; 0 where a program and not the server failed.</summary>
    public int Status { get; init; }

    /// <summary>Stable name of the fault, for scripts.</summary>
    public required string Code { get; init; }

    public string? Remedy { get; init; }
}

/// <summary>POST /upload.</summary>
/// <remarks>What is left out is read from the stream; what is given must match it.</remarks>
public sealed record UploadRequest
{
    public string? ClientId { get; init; }

    public string? ApiKey { get; init; }

    public string? DatasetName { get; init; }

    public string? SnapshotName { get; init; }

    public SnapshotGuid? SnapshotGuid { get; init; }

    public SnapshotGuid? FromGuid { get; init; }

    /// <summary>False says "full", which leaving out <see cref="FromGuid"/> does not.</summary>
    public bool? Incremental { get; init; }

    public DateTimeOffset? Timestamp { get; init; }

    public long? EstimatedSize { get; init; }

    public string? Compression { get; init; }

    public bool? Raw { get; init; }

    public IReadOnlyList<string>? SendFlags { get; init; }

    public string? StorageType { get; init; }

    /// <summary>What the snapshot was made for; left out: by hand.</summary>
    public SnapshotType? SnapshotType { get; init; }

    /// <summary>
    /// Properties that were set on the dataset, by name; they are stored in the manifest, for a restore that wants them
    /// back.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Properties { get; init; }
}

public sealed record UploadAnswer : ApiAnswer
{
    public required string UploadId { get; init; }

    /// <summary>Path on this server.</summary>
    public required string UploadUrl { get; init; }

    public required string UploadMethod { get; init; }

    public required string StorageKey { get; init; }

    /// <summary>Stored bytes that each part must have at least, but for the last.</summary>
    public required int PartSize { get; init; }

    /// <summary>Stored bytes that a part may have at most.</summary>
    public required int MaxPartSize { get; init; }

    /// <summary>Parts of one upload that the server takes at once.</summary>
    public required int MaxParallelParts { get; init; }

    /// <summary>From where the upload goes on; left out where nothing of it is stored yet.</summary>
    public UploadResume? Resume { get; init; }
}

/// <summary>What the server has of an upload in parts, without gaps from the start.</summary>
public sealed record UploadResume
{
    /// <summary>The first part that is missing; the first of all is 1.</summary>
    public required int NextPart { get; init; }

    /// <summary>Stored bytes of the parts before it.</summary>
    public required long StoredBytes { get; init; }

    /// <summary>Bytes of the stream in them.</summary>
    public required long StreamBytes { get; init; }

    /// <summary>
    /// Where the stream stands after them: a <see cref="Transfer.StreamState"/> with its BEGIN; empty where there is a
    /// token.
    /// </summary>
    public required string State { get; init; }

    /// <summary>
    /// Their SHA-256 in order, one after another, each as 64 lower-case hex digits:
    /// <see cref="CompleteRequest.PartsSha256"/> needs them, and who completes an upload may not be who began it.
    /// </summary>
    public string? PartDigests { get; init; }

    /// <summary>
    /// Of an upload into ZFS: where <c>zfs send -t</c> goes on. What it sends is a stream of its own, and its parts
    /// count from 1.
    /// </summary>
    public string? ReceiveResumeToken { get; init; }
}

/// <summary>PUT /upload-stream/{id}/parts/{n}: the part is checked and stored.</summary>
public sealed record PartAnswer : ApiAnswer
{
    public required int Part { get; init; }

    public required int SizeBytes { get; init; }

    /// <summary>Bytes of the stream in the part.</summary>
    public required long StreamBytes { get; init; }

    /// <summary>Where the stream stands after it: a <see cref="Transfer.StreamState"/> without its BEGIN.</summary>
    public required string State { get; init; }
}

/// <summary>POST /upload-stream/{id}/complete.</summary>
public sealed record CompleteRequest
{
    /// <summary>How many parts the upload has.</summary>
    public required int Parts { get; init; }

    /// <summary>Bytes of the whole stream.</summary>
    public required long StreamBytes { get; init; }

    /// <summary>SHA-256 of the parts' SHA-256, lower-case hex: what the server has must be what was sent.</summary>
    public required string PartsSha256 { get; init; }
}

/// <summary>GET /uploads: the client's uploads that are not committed.</summary>
public sealed record UploadsAnswer : ApiAnswer
{
    public required IReadOnlyList<UploadInfo> Uploads { get; init; }
}

/// <summary>One open upload. What its client did not say is left out.</summary>
public sealed record UploadInfo
{
    public required string UploadId { get; init; }

    public required string DatasetName { get; init; }

    public string? SnapshotName { get; init; }

    public SnapshotGuid? SnapshotGuid { get; init; }

    public SnapshotGuid? FromGuid { get; init; }

    public required string Compression { get; init; }

    public required IReadOnlyList<string> SendFlags { get; init; }

    /// <summary>When something of it came last.</summary>
    public required DateTimeOffset TouchedAt { get; init; }

    /// <summary>What is stored of it without gaps; left out where nothing is.</summary>
    public UploadResume? Resume { get; init; }
}

/// <summary>An upload's state, and the end of one.</summary>
public sealed record UploadStateAnswer : ApiAnswer
{
    public required string UploadId { get; init; }

    /// <summary><c>open</c>, <c>receiving</c>, <c>committed</c>.</summary>
    public required string State { get; init; }

    public required string StorageKey { get; init; }

    /// <summary>Why the last attempt to send the stream failed.</summary>
    public ApiError? LastError { get; init; }

    /// <summary>The committed backup.</summary>
    public SnapshotInfo? Snapshot { get; init; }
}

/// <summary>One committed backup.</summary>
public sealed record SnapshotInfo
{
    /// <summary>The storage key without its extension.</summary>
    public required string SnapshotId { get; init; }

    public required string StorageKey { get; init; }

    public required string DatasetName { get; init; }

    public required string SnapshotName { get; init; }

    public required SnapshotGuid SnapshotGuid { get; init; }

    /// <summary>Null, and left out in JSON, for a full backup.</summary>
    public SnapshotGuid? FromGuid { get; init; }

    /// <summary><c>filesystem</c> or <c>volume</c>.</summary>
    public required string DatasetType { get; init; }

    /// <summary>When the snapshot was made, as its stream says.</summary>
    public required DateTimeOffset Timestamp { get; init; }

    /// <summary>When the server committed it.</summary>
    public required DateTimeOffset ReceivedAt { get; init; }

    /// <summary>Stored bytes.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>Bytes of the stream before compression.</summary>
    public required long StreamBytes { get; init; }

    public required string Compression { get; init; }

    public required bool Raw { get; init; }

    /// <summary>The stream's feature flags by name.</summary>
    public required IReadOnlyList<string> Features { get; init; }

    public required IReadOnlyList<string> SendFlags { get; init; }

    /// <summary>SHA-256 of the stored bytes, lower-case hex; left out where they came in parts.</summary>
    public string? Sha256 { get; init; }

    /// <summary>SHA-256 of the parts' SHA-256, lower-case hex; also the ETag of the download.</summary>
    public required string PartsSha256 { get; init; }

    /// <summary>Until when the server's store lets nobody delete the backup; left out where it does.</summary>
    public DateTimeOffset? LockedUntil { get; init; }

    /// <summary>What the snapshot was made for, which rotation counts it as.</summary>
    public SnapshotType SnapshotType { get; init; }

    /// <summary>Rotation leaves it alone; left out in JSON where it does not.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Pinned { get; init; }

    /// <summary>When a rotated backup is deleted, unless an administrator keeps it; left out for all others.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>One of <see cref="StorageTypes"/>.</summary>
    public string StorageType { get; init; } = StorageTypes.Objects;

    /// <summary>False where the server takes no incremental on it; left out where nothing speaks against it.</summary>
    public bool? CanBeBase { get; init; }

    /// <summary>It is a snapshot in ZFS: each restores alone, and its stream is made when it is asked for.</summary>
    [JsonIgnore]
    public bool IsLocal => StorageType == StorageTypes.Local;

    [JsonIgnore]
    public bool IsIncremental => FromGuid is not null;
}

public sealed record SnapshotsAnswer : ApiAnswer
{
    /// <summary>Newest first.</summary>
    public required IReadOnlyList<SnapshotInfo> Snapshots { get; init; }
}

public sealed record StatusAnswer : ApiAnswer
{
    public required string ClientId { get; init; }

    public required string StorageType { get; init; }

    public required long UsedBytes { get; init; }

    /// <summary>0: no quota.</summary>
    public required long MaxSizeBytes { get; init; }

    public required int SnapshotCount { get; init; }

    public DateTimeOffset? NewestSnapshot { get; init; }

    /// <summary>
    /// When the next backup is due by the finest class of the server's policy; left out where it has none for the
    /// client, or no backup.
    /// </summary>
    public DateTimeOffset? NextDue { get; init; }

    public required int OpenUploads { get; init; }

    /// <summary>
    /// Stored bytes that open uploads take, or have reserved; they count towards the quota as <see cref="UsedBytes"/>
    /// do.
    /// </summary>
    public required long ReservedBytes { get; init; }

    /// <summary>Backups that were rotated and are still to be deleted.</summary>
    public required int ExpiringCount { get; init; }
}

/// <summary>POST /rotate. All of it may be left out, also the body.</summary>
public sealed record RotateRequest
{
    public string? ClientId { get; init; }

    public string? ApiKey { get; init; }

    /// <summary>Nothing is changed; the answer says what would be.</summary>
    public bool DryRun { get; init; }

    /// <summary>The client's own policy, which counts where the server has none for it.</summary>
    public RotationPolicy? RotationPolicy { get; init; }
}

public sealed record RotateAnswer : ApiAnswer
{
    public required bool DryRun { get; init; }

    public required int DeletedCount { get; init; }

    /// <summary>Stored bytes of what was deleted.</summary>
    public required long ReclaimedBytes { get; init; }

    /// <summary>Backups that are to be deleted later.</summary>
    public required int ExpiringCount { get; init; }

    /// <summary>The policy that was followed; left out where the quota alone says what goes.</summary>
    public RotationPolicy? RotationPolicy { get; init; }

    public required bool ServerManaged { get; init; }

    /// <summary>What became, or would become, of the backups; of those that stay only in a dry run.</summary>
    public required IReadOnlyList<RotationItem> Decisions { get; init; }
}

/// <summary>What became of one backup.</summary>
public sealed record RotationItem
{
    public required string SnapshotId { get; init; }

    public required string DatasetName { get; init; }

    public required string SnapshotName { get; init; }

    public required SnapshotType SnapshotType { get; init; }

    public required DateTimeOffset Timestamp { get; init; }

    public required long SizeBytes { get; init; }

    /// <summary><c>keep</c>, <c>delete</c>, or <c>expire</c>: to be deleted later.</summary>
    public required string Action { get; init; }

    public required string Reason { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }
}

/// <summary>GET /rotation-policy.</summary>
public sealed record RotationPolicyAnswer : ApiAnswer
{
    public required RotationPolicy RotationPolicy { get; init; }

    /// <summary>False: the server has no policy for the client, whose own counts; these are the defaults.</summary>
    public required bool ServerManaged { get; init; }
}

public sealed record HealthAnswer
{
    public required string Status { get; init; }

    public required string Version { get; init; }
}

/// <summary>GET /ready.</summary>
public sealed record ReadyAnswer
{
    /// <summary><c>ready</c> or <c>not_ready</c>.</summary>
    public required string Status { get; init; }

    public required IReadOnlyList<ReadyResult> Checks { get; init; }
}

/// <summary>One thing that the server needs.</summary>
public sealed record ReadyResult
{
    public required string Name { get; init; }

    public required bool Ok { get; init; }

    /// <summary>What is wrong; null where nothing is.</summary>
    public string? Message { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip
)]
[JsonSerializable(typeof(ApiAnswer))]
[JsonSerializable(typeof(ApiError))]
[JsonSerializable(typeof(UploadRequest))]
[JsonSerializable(typeof(UploadAnswer))]
[JsonSerializable(typeof(UploadStateAnswer))]
[JsonSerializable(typeof(PartAnswer))]
[JsonSerializable(typeof(CompleteRequest))]
[JsonSerializable(typeof(UploadsAnswer))]
[JsonSerializable(typeof(SnapshotInfo))]
[JsonSerializable(typeof(SnapshotsAnswer))]
[JsonSerializable(typeof(StatusAnswer))]
[JsonSerializable(typeof(RotateRequest))]
[JsonSerializable(typeof(RotateAnswer))]
[JsonSerializable(typeof(RotationPolicyAnswer))]
[JsonSerializable(typeof(HealthAnswer))]
[JsonSerializable(typeof(ReadyAnswer))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, string>))]
public sealed partial class ApiJson : JsonSerializerContext;
