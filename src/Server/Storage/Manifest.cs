using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>What lies beside a stored object as <c>KEY.manifest.json</c>: all that the catalogue knows of the backup; never changed. docs/storage-format.md describes it.</summary>
internal sealed record Manifest
{
    public const int CurrentFormatVersion = 1;

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

    public required IReadOnlyList<StoredObject> Objects { get; init; }

    /// <summary>What the catalogue lists of the backup.</summary>
    public SnapshotInfo ToSnapshotInfo(string snapshotId) => new()
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
        Sha256 = Objects[0].Sha256,
    };
}

/// <summary>One object of a backup.</summary>
internal sealed record StoredObject
{
    public required string Key { get; init; }

    public required long Size { get; init; }

    /// <summary>Lower-case hex.</summary>
    public required string Sha256 { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(Manifest))]
internal sealed partial class ManifestJson : JsonSerializerContext;
