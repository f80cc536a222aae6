using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// One client in clients.json: the first program's fields, name for name, and an old key during a rotation.
/// </summary>
/// <remarks>Setters, not init: the JSON source generator would lose the defaults of what a file leaves out.</remarks>
public sealed record ClientEntry
{
    public required string ClientId { get; set; }

    /// <summary>SHA-256 of the key, 64 hex digits; the key itself is nowhere.</summary>
    public required string ApiKey { get; set; }

    /// <summary>SHA-256 of the key before this one, which is still taken for a while.</summary>
    public string? OldApiKey { get; set; }

    /// <summary>When <see cref="OldApiKey"/> ends.</summary>
    public DateTimeOffset? OldApiKeyUntil { get; set; }

    /// <summary>Stored bytes that the client may have; 0: no bound.</summary>
    public long MaxSizeBytes { get; set; }

    /// <summary>Where its backups go when its storage is local ZFS; null: below ZFS_BASE_DATASET.</summary>
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
