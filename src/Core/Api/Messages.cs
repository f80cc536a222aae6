using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>The fields of every answer; docs/http-api.md describes each message.</summary>
public record ApiAnswer
{
    [JsonPropertyOrder(-2)]
    public required bool Success { get; init; }

    [JsonPropertyOrder(-1)]
    public required string Message { get; init; }
}

/// <summary>An answer with the status of an error.</summary>
public sealed record ApiError : ApiAnswer
{
    /// <summary>The HTTP status of the answer; 0 if a program and not the server failed.</summary>
    public int Status { get; init; }

    /// <summary>The stable error code, for scripts.</summary>
    public required string Code { get; init; }

    public string? Remedy { get; init; }
}

/// <summary>POST /upload.</summary>
/// <remarks>Fields that are left out are read from the stream; fields that are given must match it.</remarks>
public sealed record UploadRequest
{
    public string? ClientId { get; init; }

    /// <summary>The machine that the dataset is on: <see cref="Zfs.Machine.Id"/>.</summary>
    public string? MachineId { get; init; }

    public string? MachineName { get; init; }

    /// <summary>This machine replaces the one that the dataset's backups come from.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool TakeOver { get; init; }

    public string? ApiKey { get; init; }

    public string? DatasetName { get; init; }

    public string? SnapshotName { get; init; }

    public SnapshotGuid? SnapshotGuid { get; init; }

    public SnapshotGuid? FromGuid { get; init; }

    /// <summary>False announces a full backup; a <see cref="FromGuid"/> that is left out does not.</summary>
    public bool? Incremental { get; init; }

    public DateTimeOffset? Timestamp { get; init; }

    public long? EstimatedSize { get; init; }

    public string? Compression { get; init; }

    public bool? Raw { get; init; }

    public IReadOnlyList<string>? SendFlags { get; init; }

    public string? StorageType { get; init; }

    /// <summary>The class of the snapshot; left out: manual.</summary>
    public SnapshotType? SnapshotType { get; init; }

    /// <summary>
    /// Properties that were set on the dataset, by name. They are stored in the manifest, so that a restore can set
    /// them.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Properties { get; init; }

    /// <summary>
    /// What decides how the dataset behaves, by name, wherever it was set. Stored in the manifest, so that a restore
    /// can say what differs.
    /// </summary>
    public IReadOnlyDictionary<string, EffectiveProperty>? EffectiveProperties { get; init; }
}

/// <summary>The value that a property had, and where it came from.</summary>
public sealed record EffectiveProperty
{
    public required string Value { get; init; }

    /// <summary><c>local</c>, <c>received</c>, <c>inherited</c>, <c>default</c>, or <c>none</c> if it cannot be
    /// set.</summary>
    public required string Source { get; init; }
}

public sealed record UploadAnswer : ApiAnswer
{
    public required string UploadId { get; init; }

    /// <summary>Path on this server.</summary>
    public required string UploadUrl { get; init; }

    public required string UploadMethod { get; init; }

    public required string StorageKey { get; init; }

    /// <summary>The fewest stored bytes of a part; the last one may have fewer.</summary>
    public required int PartSize { get; init; }

    /// <summary>The most stored bytes of a part.</summary>
    public required int MaxPartSize { get; init; }

    /// <summary>The most parts of one upload that the server accepts at once.</summary>
    public required int MaxParallelParts { get; init; }

    /// <summary>Where the upload resumes; left out if nothing of it is stored yet.</summary>
    public UploadResume? Resume { get; init; }
}

/// <summary>What the server has of an upload in parts, without gaps from the start.</summary>
public sealed record UploadResume
{
    /// <summary>The number of the first missing part, from 1.</summary>
    public required int NextPart { get; init; }

    /// <summary>Stored bytes of the parts before it.</summary>
    public required long StoredBytes { get; init; }

    /// <summary>Bytes of the stream in them.</summary>
    public required long StreamBytes { get; init; }

    /// <summary>
    /// The state of the stream after them: as <see cref="SendStream.ParserState.Format"/> writes it; empty if a token
    /// is given.
    /// </summary>
    public required string State { get; init; }

    /// <summary>
    /// The SHA-256 of the parts in order, each as 64 lower-case hex digits. <see cref="CompleteRequest.PartsSha256"/>
    /// needs them, and the client that completes an upload may not be the one that began it. Left out if they are more
    /// than 4,096: GET /upload-stream/{id}/part-digests has them in any number.
    /// </summary>
    public string? PartDigests { get; init; }

    /// <summary>
    /// For an upload into ZFS: the token with which <c>zfs send -t</c> resumes. What it sends is a stream of its own,
    /// and its parts count from 1.
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

    /// <summary>
    /// The state of the stream after it: as <see cref="SendStream.ParserState.FormatWithoutBegin"/> writes it.
    /// </summary>
    public required string State { get; init; }
}

/// <summary>POST /upload-stream/{id}/complete.</summary>
public sealed record CompleteRequest
{
    /// <summary>How many parts the upload has.</summary>
    public required int Parts { get; init; }

    /// <summary>Bytes of the whole stream.</summary>
    public required long StreamBytes { get; init; }

    /// <summary>SHA-256 of the parts' SHA-256, lower-case hex: it proves that the server has what was sent.</summary>
    public required string PartsSha256 { get; init; }
}

/// <summary>GET /uploads: the client's uploads that are not committed.</summary>
public sealed record UploadsAnswer : ApiAnswer
{
    /// <summary>The catalogue's id; older servers do not tell it.</summary>
    public string? ServerId { get; init; }

    public required IReadOnlyList<UploadInfo> Uploads { get; init; }
}

/// <summary>One open upload. Fields that its client did not send are left out.</summary>
public sealed record UploadInfo
{
    public required string UploadId { get; init; }

    public required string DatasetName { get; init; }

    public string? SnapshotName { get; init; }

    public SnapshotGuid? SnapshotGuid { get; init; }

    public SnapshotGuid? FromGuid { get; init; }

    public required string Compression { get; init; }

    public required IReadOnlyList<string> SendFlags { get; init; }

    /// <summary>When bytes of it arrived last.</summary>
    public required DateTimeOffset TouchedAt { get; init; }

    /// <summary>
    /// Whether bytes of it arrive now, or did within UPLOAD_IDLE_TIMEOUT; older servers do not tell.
    /// </summary>
    public bool? Active { get; init; }

    /// <summary>The machine that it comes from; left out if its client did not say.</summary>
    public string? MachineId { get; init; }

    public string? MachineName { get; init; }

    /// <summary>What is stored of it without gaps; left out if nothing is.</summary>
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

public sealed record StatusAnswer : ApiAnswer
{
    /// <summary>The catalogue's id; older servers do not tell it.</summary>
    public string? ServerId { get; init; }

    public required string ClientId { get; init; }

    public required string StorageType { get; init; }

    public required long UsedBytes { get; init; }

    /// <summary>0: no quota.</summary>
    public required long MaxSizeBytes { get; init; }

    public required int SnapshotCount { get; init; }

    /// <summary>
    /// When the newest snapshot was made, but not later than it arrived: a client whose clock was ahead once must not
    /// look fresh until that time.
    /// </summary>
    public DateTimeOffset? NewestSnapshot { get; init; }

    /// <summary>When the last backup arrived.</summary>
    public DateTimeOffset? NewestReceivedAt { get; init; }

    /// <summary>Backups whose snapshot claims a time after its arrival; left out if there are none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int WrongClockCount { get; init; }

    /// <summary>
    /// When the next backup is due, by the finest class of the server's policy; left out if the client has no policy
    /// there, or no backup.
    /// </summary>
    public DateTimeOffset? NextDue { get; init; }

    public required int OpenUploads { get; init; }

    /// <summary>
    /// Stored bytes that open uploads have or have reserved; they count towards the quota like <see cref="UsedBytes"/>.
    /// </summary>
    public required long ReservedBytes { get; init; }

    /// <summary>Backups that were rotated and will be deleted later.</summary>
    public required int ExpiringCount { get; init; }

    /// <summary>The machines that backed up under this client's id, or tried to; older servers do not tell.</summary>
    public IReadOnlyList<MachineInfo>? Machines { get; init; }
}

/// <summary>A machine that uses a client's id.</summary>
public sealed record MachineInfo
{
    public required string MachineId { get; init; }

    public required string MachineName { get; init; }

    /// <summary>When a backup or a part of it arrived, or was refused.</summary>
    public required DateTimeOffset LastSeen { get; init; }

    /// <summary>
    /// The dataset that it was not allowed to back up, because its backups come from another machine; left out if
    /// nothing was refused.
    /// </summary>
    public string? RefusedDataset { get; init; }

    /// <summary>What to do if a dataset's backups come from another machine.</summary>
    /// <param name="other">Its name.</param>
    public static string RemedyFor(string other) =>
        "Give each machine a client id of its own: on the server, 'zfs-server client add NAME'. If this machine "
        + $"replaces {other}, run 'zfs-client backup --take-over' once.";
}

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

    /// <summary>The fault; null if there is none.</summary>
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
[JsonSerializable(typeof(MachineInfo))]
[JsonSerializable(typeof(RotateRequest))]
[JsonSerializable(typeof(RotateAnswer))]
[JsonSerializable(typeof(RotationPolicyAnswer))]
[JsonSerializable(typeof(HealthAnswer))]
[JsonSerializable(typeof(ReadyAnswer))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, string>))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, EffectiveProperty>))]
public sealed partial class ApiJson : JsonSerializerContext;
