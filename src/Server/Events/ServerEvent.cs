using System.Text.Json;
using System.Text.Json.Serialization;

namespace ZfsSnapshotManager.Server.Events;

/// <summary>What happened, as a line of the audit log. Nothing in it may be a key or its hash.</summary>
internal sealed record ServerEvent
{
    /// <summary>Its own, so that it is not written twice after a crash; null in lines of earlier versions.</summary>
    public string? Id { get; init; }

    public required DateTimeOffset Time { get; init; }

    /// <summary>One of <see cref="ServerEvents"/>.</summary>
    public required string Event { get; init; }

    public string? ClientId { get; init; }

    public required EventActor Actor { get; init; }

    /// <summary>The address that a request came from; behind a proxy, the proxy's.</summary>
    public string? Address { get; init; }

    public string? SnapshotId { get; init; }

    public IReadOnlyDictionary<string, string>? Details { get; init; }

    /// <summary>A new event.</summary>
    /// <param name="name">One of <see cref="ServerEvents"/>.</param>
    /// <param name="actor">Whose action it is.</param>
    /// <param name="now">The current time.</param>
    /// <param name="details">Names and values.</param>
    public static ServerEvent Of(
        string name,
        EventActor actor,
        DateTimeOffset now,
        params IEnumerable<(string Name, string Value)> details
    )
    {
        var pairs = details.ToDictionary(detail => detail.Name, detail => detail.Value, StringComparer.Ordinal);
        return new ServerEvent
        {
            Id = Guid.NewGuid().ToString("N"),
            Time = DateTimeOffset.FromUnixTimeMilliseconds(now.ToUnixTimeMilliseconds()),
            Event = name,
            Actor = actor,
            Details = pairs.Count == 0 ? null : pairs,
        };
    }

    /// <returns>Null if the text is no event.</returns>
    public static ServerEvent? Parse(string text)
    {
        try
        {
            return JsonSerializer.Deserialize(text, EventJson.Default.ServerEvent);
        }
        catch (JsonException)
        {
            return null; // a crash may have truncated it
        }
    }

    /// <summary>The address of a request, without the form of IPv4 in IPv6.</summary>
    public static string? AddressOf(HttpContext context) =>
        (
            context.Connection.RemoteIpAddress is { IsIPv4MappedToIPv6: true } mapped
                ? mapped.MapToIPv4()
                : context.Connection.RemoteIpAddress
        )?.ToString();
}

[JsonConverter(typeof(JsonStringEnumConverter<EventActor>))]
internal enum EventActor
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
[JsonSerializable(typeof(ServerEvent))]
internal sealed partial class EventJson : JsonSerializerContext;
