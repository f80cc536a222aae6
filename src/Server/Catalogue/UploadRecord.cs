using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// An upload that was announced and is not committed. What the client did not announce is null and is read from the
/// stream.
/// </summary>
internal sealed record UploadRecord
{
    public required string UploadId { get; init; }

    public required string ClientId { get; init; }

    /// <summary>Reserved for this upload: no other upload or backup has it.</summary>
    public required string SnapshotId { get; init; }

    /// <summary>The key of its first object; null for ZFS, and before it is opened.</summary>
    public string? ObjectKey { get; init; }

    /// <summary>For ZFS: the client's dataset, below which it is received.</summary>
    public string? ZfsDataset { get; init; }

    /// <summary>For ZFS: the snapshot that it becomes; null until its stream begins.</summary>
    public SnapshotName? ZfsSnapshot { get; init; }

    /// <summary>What it is stored as, for answers and messages.</summary>
    public string StorageKey => ObjectKey ?? ZfsSnapshot?.ToString() ?? ZfsDataset ?? "";

    public UploadState State { get; init; }

    /// <summary>
    /// Whether parts may be received now. In ZFS each receive looks by itself for what the one before it left.
    /// </summary>
    public bool TakesParts => State == UploadState.Receiving || IsLocal;

    /// <summary>
    /// How often a request took the upload over. A write with a record from before the last time changes nothing.
    /// </summary>
    public long Takeovers { get; init; }

    /// <summary>The <see cref="ServerRun"/> that took it over last.</summary>
    public string Owner { get; init; } = "";

    /// <summary>Whether its machine may replace the one that the dataset came from; not kept.</summary>
    public bool TakesOver { get; init; }

    /// <summary>One of <see cref="StorageTypes"/>.</summary>
    public string StorageType { get; init; } = StorageTypes.Objects;

    public bool IsLocal => StorageType == StorageTypes.Local;

    /// <summary>
    /// Whether its stream may continue an interrupted one: ZFS continues its own interrupted receive with it, but as
    /// an object it would restore nothing.
    /// </summary>
    public bool AcceptsResumed => IsLocal;

    /// <summary>
    /// The base by which its backup differs from others of the snapshot. In ZFS a snapshot is one backup, whatever it
    /// was sent from.
    /// </summary>
    /// <param name="from">The base of the stream.</param>
    public SnapshotGuid? IdentityBase(SnapshotGuid? from) => IsLocal ? null : from;

    /// <summary>
    /// The manifest of a backup in ZFS, recorded before END is passed to ZFS: a <c>SnapshotNote</c> as JSON.
    /// </summary>
    public string? Note { get; init; }

    public required DatasetName DatasetName { get; init; }

    public required string? SnapshotName { get; init; }

    public required SnapshotGuid? SnapshotGuid { get; init; }

    /// <summary>
    /// True if the client announced full or incremental: <see cref="FromGuid"/> null means full.
    /// </summary>
    public required bool KindIsGiven { get; init; }

    public required SnapshotGuid? FromGuid { get; init; }

    public required CompressionFormat Compression { get; init; }

    public required bool? Raw { get; init; }

    public required IReadOnlyList<string> SendFlags { get; init; }

    /// <summary>
    /// The base that the stream itself names; null for a full one, and before its BEGIN has arrived.
    /// </summary>
    public SnapshotGuid? BaseGuid { get; init; }

    /// <summary>Why the snapshot was made, as its client announced.</summary>
    public required SnapshotType SnapshotType { get; init; }

    /// <summary>The dataset's own properties, for the manifest; null if the client did not send them.</summary>
    public IReadOnlyDictionary<string, string>? Properties { get; init; }

    /// <summary>How the dataset behaves, for the manifest; null if the client did not send it.</summary>
    public IReadOnlyDictionary<string, EffectiveProperty>? EffectiveProperties { get; init; }

    /// <summary>Bytes that the stream will have about, as its client announced; null if it did not.</summary>
    public long? EstimatedSize { get; init; }

    /// <summary>
    /// The estimate, if an upload may be refused for it: that of a full stream. For an incremental, <c>zfs send -n</c>
    /// counts indirect blocks that are not sent: it may estimate several times too much.
    /// </summary>
    public long? ReliableEstimate => KindIsGiven && FromGuid is null ? EstimatedSize : null;

    /// <summary>Bytes of the body in which all of it arrives; null if unknown. Not kept.</summary>
    public long? BodySize { get; init; }

    /// <summary>The machine that it comes from; null if the client did not say.</summary>
    public string? MachineId { get; init; }

    public string? MachineName { get; init; }

    /// <summary>
    /// The address of the request that works on it; null if the server itself does, after a crash or in the background.
    /// </summary>
    public string? RequestAddress { get; init; }

    /// <summary>How the last attempt to send the stream ended.</summary>
    public ApiError? LastError { get; init; }

    /// <summary>When a request last worked on it.</summary>
    public DateTimeOffset TouchedAt { get; init; }
}
