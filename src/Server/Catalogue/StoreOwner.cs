using System.Text.Json;
using System.Text.Json.Serialization;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>The content of <c>zfs-server.json</c>: to which catalogue a store belongs, and who uses it.</summary>
internal sealed record StoreOwner
{
    public required int FormatVersion { get; init; }

    public required string CatalogueId { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>How often a server was started with the store; 0 in that of an earlier version.</summary>
    public long Epoch { get; init; }

    /// <summary>The run of the server that was started last; random.</summary>
    public string? Run { get; init; }

    /// <summary>The name of its host.</summary>
    public string? Host { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, StoreOwnerJson.Default.StoreOwner);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(StoreOwner))]
internal sealed partial class StoreOwnerJson : JsonSerializerContext;
