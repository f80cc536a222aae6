using System.Net;
using System.Text.Json.Serialization;

namespace ZfsSnapshotManager.Server.Audit;

/// <summary>One line of the audit log. Nothing in it may be a key or the hash of one.</summary>
internal sealed record AuditEvent
{
    /// <summary>Set by <see cref="AuditLog.Write"/>.</summary>
    public DateTimeOffset Time { get; init; }

    /// <summary>One of <see cref="AuditEvents"/>.</summary>
    public required string Event { get; init; }

    public string? ClientId { get; init; }

    public required AuditActor Actor { get; init; }

    /// <summary>The address that a request came from; behind a proxy, the proxy's.</summary>
    public string? Address { get; init; }

    public string? SnapshotId { get; init; }

    public IReadOnlyDictionary<string, string>? Details { get; init; }

    /// <summary>An event caused by a client's request.</summary>
    public static AuditEvent OfRequest(HttpContext context, string name, string? clientId) =>
        new()
        {
            Event = name,
            Actor = AuditActor.Client,
            ClientId = clientId,
            Address = Describe(context.Connection.RemoteIpAddress),
        };

    private static string? Describe(IPAddress? address) =>
        (address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address)?.ToString();
}

[JsonConverter(typeof(JsonStringEnumConverter<AuditActor>))]
internal enum AuditActor
{
    /// <summary>By a request with a client's key, or without a valid one.</summary>
    [JsonStringEnumMemberName("client")]
    Client,

    /// <summary>By a command on the server.</summary>
    [JsonStringEnumMemberName("admin")]
    Admin,

    /// <summary>By the server itself.</summary>
    [JsonStringEnumMemberName("server")]
    Server,
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(AuditEvent))]
internal sealed partial class AuditJson : JsonSerializerContext;
