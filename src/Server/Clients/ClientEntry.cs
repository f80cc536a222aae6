using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// One client in clients.json: the fields of the first version, with the same names, and an old key during a rotation.
/// </summary>
/// <remarks>
/// Setters, not init: with init, the JSON source generator overwrites the defaults of omitted fields
/// (github.com/dotnet/runtime/issues/84484).
/// </remarks>
public sealed record ClientEntry
{
    public required string ClientId { get; set; }

    /// <summary>SHA-256 of the key, 64 hex digits; the key itself is not stored.</summary>
    public required string ApiKey { get; set; }

    /// <summary>SHA-256 of the previous key, which is still accepted for a while.</summary>
    public string? OldApiKey { get; set; }

    /// <summary>When <see cref="OldApiKey"/> expires.</summary>
    public DateTimeOffset? OldApiKeyUntil { get; set; }

    /// <summary>The client's quota in stored bytes; 0: no limit.</summary>
    public long MaxSizeBytes { get; set; }

    /// <summary>Parent dataset of its backups in local ZFS storage; null: below ZFS_BASE_DATASET.</summary>
    public string? Dataset { get; set; }

    public bool Enabled { get; set; } = true;

    /// <summary><c>s3</c>: the server's object store; <c>local</c>: ZFS on the server.</summary>
    public string StorageType { get; set; } = "s3";

    public RotationPolicy? RotationPolicy { get; set; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    ReadCommentHandling = System.Text.Json.JsonCommentHandling.Skip,
    AllowTrailingCommas = true,
    WriteIndented = true
)]
[JsonSerializable(typeof(List<ClientEntry>))]
internal sealed partial class ClientsJson : JsonSerializerContext;
