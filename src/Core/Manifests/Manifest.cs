using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Manifests;

/// <summary>
/// The manifest of a backup, stored beside its objects as <c>KEY.manifest.json</c>: everything that the catalogue knows
/// of the backup. It is never changed. docs/storage-format.md describes it.
/// </summary>
public sealed record Manifest
{
    /// <summary>Of the manifests that are written; those of version 1 are read as well.</summary>
    public const int CurrentFormatVersion = 2;

    /// <summary>
    /// Bounds what a reader must keep: 140 TB in parts of 8 MiB. Reader and writer have the same bound.
    /// </summary>
    public const int MaxParts = 1 << 24;

    public required int FormatVersion { get; init; }

    public required string UploadId { get; init; }

    public required string ClientId { get; init; }

    public required string DatasetName { get; init; }

    public required string SnapshotName { get; init; }

    public required SnapshotGuid SnapshotGuid { get; init; }

    public required SnapshotGuid? FromGuid { get; init; }

    public required string DatasetType { get; init; }

    public required DateTimeOffset Timestamp { get; init; }

    public required DateTimeOffset ReceivedAt { get; init; }

    public required string Compression { get; init; }

    public required bool Raw { get; init; }

    public required IReadOnlyList<string> SendFlags { get; init; }

    /// <summary>The stream's feature flags by name.</summary>
    public required IReadOnlyList<string> Features { get; init; }

    public required long StoredBytes { get; init; }

    public required long StreamBytes { get; init; }

    public required long RecordCount { get; init; }

    /// <summary>The stream's Fletcher-4 before its END record, four words in hex.</summary>
    public required string EndChecksum { get; init; }

    /// <summary>
    /// SHA-256 of the stored bytes, all objects one after another; lower-case hex. Null if they were sent in parts, so
    /// that no program saw them in one pass.
    /// </summary>
    public string? Sha256 { get; init; }

    /// <summary>SHA-256 of the parts' SHA-256 (32 bytes each), one after another; lower-case hex.</summary>
    public required string PartsSha256 { get; init; }

    /// <summary>The retention deadline of the objects; null if they are not locked.</summary>
    public DateTimeOffset? LockedUntil { get; init; }

    /// <summary>The class of the snapshot; manual if the manifest has none.</summary>
    public SnapshotType SnapshotType { get; init; }

    /// <summary>The machine that it comes from; left out if its client did not say.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? MachineId { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? MachineName { get; init; }

    /// <summary>
    /// The properties that were set on the dataset itself when it was backed up, by name; left out if the client did
    /// not send them.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, string>? Properties { get; init; }

    /// <summary>
    /// What decided how the dataset behaved when it was backed up, by name, wherever it was set; left out if the client
    /// did not send it.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, EffectiveProperty>? EffectiveProperties { get; init; }

    /// <summary>
    /// The names of properties that the client sent, but that are too long for what ZFS keeps beside a snapshot; left
    /// out if there are none.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? PropertiesLeftOut { get; init; }

    /// <summary>
    /// In the order of the stream; empty for a backup in ZFS. Their parts may be very many: <see
    /// cref="ManifestReader"/> and <see cref="ManifestWriter"/> pass them on one by one.
    /// </summary>
    public required IReadOnlyList<StoredObject> Objects { get; init; }

    /// <summary>Reads the manifest of a backup in the server's ZFS, which has no objects.</summary>
    /// <exception cref="JsonException">It is not a manifest, or contradicts itself.</exception>
    public static Manifest ParseLocal(ReadOnlySpan<byte> json)
    {
        RefuseNulls(json);
        var manifest = JsonSerializer.Deserialize(json, ManifestJson.Default.Manifest)
            ?? throw new JsonException("it is null");
        return manifest.FindFault() is { } fault ? throw new JsonException(fault) : manifest;
    }

    /// <summary>The backup as the catalogue lists it.</summary>
    public SnapshotInfo ToSnapshotInfo(string snapshotId) =>
        new()
        {
            SnapshotId = snapshotId,
            StorageKey = Objects[0].Key,
            DatasetName = DatasetName,
            SnapshotName = SnapshotName,
            SnapshotGuid = SnapshotGuid,
            FromGuid = FromGuid,
            DatasetType = DatasetType,
            Timestamp = Timestamp,
            ReceivedAt = ReceivedAt,
            SizeBytes = StoredBytes,
            StreamBytes = StreamBytes,
            Compression = Compression,
            Raw = Raw,
            Features = Features,
            SendFlags = SendFlags,
            Sha256 = Sha256,
            PartsSha256 = PartsSha256,
            LockedUntil = LockedUntil,
            SnapshotType = SnapshotType,
            MachineId = MachineId,
            MachineName = MachineName,
        };

    /// <summary>
    /// System.Text.Json accepts null for every list and text, also within lists (RespectNullableAnnotations does not
    /// cover the elements of lists). A manifest may have null only for the base, the lock, the digest of the whole and
    /// the state of a part.
    /// </summary>
    internal static void RefuseNulls(ReadOnlySpan<byte> json, bool mayBeNull = false)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.Null && !mayBeNull)
                throw new JsonException($"a value is null before byte {reader.BytesConsumed + 1}");
            mayBeNull = reader.TokenType == JsonTokenType.PropertyName && MayBeNull(ref reader);
        }
    }

    /// <summary>Whether a name is that of a field that may be null.</summary>
    internal static bool MayBeNull(ref Utf8JsonReader name) =>
        name.ValueTextEquals("from_guid"u8)
        || name.ValueTextEquals("locked_until"u8)
        || name.ValueTextEquals("sha256"u8)
        || name.ValueTextEquals("state"u8);

    /// <returns>Null if this version reads it.</returns>
    public string? FindFault() =>
        FormatVersion is >= 1 and <= CurrentFormatVersion
            ? null
            : $"format_version is {FormatVersion}; this version reads 1 to {CurrentFormatVersion}";
}

/// <summary>One stored object of a backup.</summary>
public sealed record StoredObject
{
    public required string Key { get; init; }

    public required long Size { get; init; }

    /// <summary>The key of a backup's objects: the backup's own, then <c>KEY.0002</c> and so on.</summary>
    /// <param name="index">From 0.</param>
    public static string KeyOf(string key, int index) =>
        index == 0 ? key : string.Create(CultureInfo.InvariantCulture, $"{key}.{index + 1:0000}");
}

/// <summary>A range of an object's bytes that is stored, read and checked by itself.</summary>
public sealed record StoredPart
{
    /// <summary>In bytes. It also bounds the memory that a forged manifest can make a reader allocate.</summary>
    public const int MaxSize = 1024 * 1024 * 1024;

    /// <summary>
    /// The most stored bytes of a block: 1 MiB, completed by the largest record of 16 MiB, and room for what a format
    /// adds to data that do not shrink.
    /// </summary>
    public const int MaxBlockSize = 18 * 1024 * 1024;

    /// <summary>In bytes.</summary>
    public required int Size { get; init; }

    /// <summary>Lower-case hex; null if it is not known.</summary>
    public required string? Sha256 { get; init; }

    /// <summary>
    /// The state of the stream after this part, as <see cref="SendStream.ParserState.FormatWithoutBegin"/> writes it:
    /// the parts hold complete records in blocks of their own, and the stream can be entered after this one. Null if
    /// the stored bytes were cut at any place, and within a group of parts (<see cref="PartGroups"/>).
    /// </summary>
    public string? State { get; init; }

    public static StoredPart Of(ReadOnlySpan<byte> content) =>
        new() { Size = content.Length, Sha256 = Convert.ToHexStringLower(SHA256.HashData(content)) };

    /// <summary>
    /// SHA-256 of the parts' SHA-256, one after another; lower-case hex, empty if one is not known.
    /// </summary>
    public static string DigestOf(IEnumerable<StoredPart> parts)
    {
        using var digest = new PartsDigest();
        return parts.All(part => digest.TryAdd(part.Sha256)) ? digest.ToHex() : "";
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    RespectRequiredConstructorParameters = true
)]
[JsonSerializable(typeof(Manifest))]
[JsonSerializable(typeof(StoredPart))]
public sealed partial class ManifestJson : JsonSerializerContext;
