using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Api;

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
