using System.Text.Json;
using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Server.ZfsStorage;

/// <summary>
/// The description of a backup in ZFS, kept as a user property of its snapshot: its manifest, without objects, and its
/// id.
/// </summary>
internal sealed record SnapshotNote
{
    /// <summary>Stands for the names of all properties that were left out.</summary>
    private const string AllProperties = "*";

    private const string EncryptionProperty = "encryption";

    public required string SnapshotId { get; init; }

    public required Manifest Manifest { get; init; }

    /// <exception cref="JsonException">It is not a note, or has impossible values.</exception>
    public static SnapshotNote Parse(string json)
    {
        var note = JsonSerializer.Deserialize(json, SnapshotNoteJson.Default.SnapshotNote)
            ?? throw new JsonException("it is null");
        if (note.Manifest.FindFault() is { } version)
            throw new JsonException(version);
        return DatasetName.TryParse(note.Manifest.DatasetName, out _, out var fault)
            ? note
            : throw new JsonException($"dataset_name: {fault}");
    }

    /// <summary>One line of ASCII, as a property's value must be.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, SnapshotNoteJson.Default.SnapshotNote);

    /// <summary>
    /// The note with as many of the dataset's properties as ZFS can store, and the names of the others. The longest are
    /// left out first, so that few are. If even the names are too long, they are left out too, and at last how the
    /// dataset behaves, except for its encryption, which a restore of a tree needs.
    /// </summary>
    public SnapshotNote Fit()
    {
        var note = this;
        foreach (
            var (name, _) in (Manifest.Properties ?? new Dictionary<string, string>()).OrderByDescending(property =>
                JsonEncodedText.Encode(property.Value).EncodedUtf8Bytes.Length
            )
        )
        {
            if (!note.IsTooLong)
                return note;
            note = note.Without(name);
        }

        if (note.IsTooLong && note.Manifest.PropertiesLeftOut is not null)
            note = note with { Manifest = note.Manifest with { PropertiesLeftOut = [AllProperties] } };
        return note.IsTooLong && note.Manifest.EffectiveProperties is { } effective
            ? note with
            {
                Manifest = note.Manifest with
                {
                    EffectiveProperties = effective
                        .Where(property => property.Key == EncryptionProperty)
                        .ToDictionary(StringComparer.Ordinal),
                },
            }
            : note;
    }

    /// <summary>Whether it is longer than ZFS accepts as a property.</summary>
    [JsonIgnore]
    public bool IsTooLong => ToJson().Length > ZfsStorageProperties.LongestValue;

    /// <summary>
    /// The backup as the catalogue lists it. In ZFS it is restored alone, whatever its base was, and its stream is
    /// uncompressed.
    /// </summary>
    /// <param name="snapshot">Its full name on this server.</param>
    public SnapshotInfo ToSnapshotInfo(string snapshot) =>
        new()
        {
            SnapshotId = SnapshotId,
            StorageKey = snapshot,
            DatasetName = Manifest.DatasetName,
            SnapshotName = Manifest.SnapshotName,
            SnapshotGuid = Manifest.SnapshotGuid,
            DatasetType = Manifest.DatasetType,
            Timestamp = Manifest.Timestamp,
            ReceivedAt = Manifest.ReceivedAt,
            SizeBytes = Manifest.StoredBytes,
            StreamBytes = Manifest.StreamBytes,
            Compression = Manifest.Compression,
            Raw = Manifest.Raw,
            Features = Manifest.Features,
            SendFlags = Manifest.SendFlags,
            PartsSha256 = Manifest.PartsSha256,
            SnapshotType = Manifest.SnapshotType,
            MachineId = Manifest.MachineId,
            MachineName = Manifest.MachineName,
            StorageType = StorageTypes.Local,
        };

    private SnapshotNote Without(string property)
    {
        var kept = Manifest.Properties!.Where(other => other.Key != property).ToDictionary(StringComparer.Ordinal);
        return this with
        {
            Manifest = Manifest with
            {
                Properties = kept.Count > 0 ? kept : null,
                PropertiesLeftOut = [.. Manifest.PropertiesLeftOut ?? [], property],
            },
        };
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(SnapshotNote))]
internal sealed partial class SnapshotNoteJson : JsonSerializerContext;
