using System.Text.Json;
using System.Text.Json.Serialization;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>A client id and a key in a request's JSON body, as the first version accepted them.</summary>
internal sealed record BodyCredentials
{
    public string? ClientId { get; init; }

    public string? ApiKey { get; init; }

    /// <summary>Reads them; the endpoint then reads the body again, from memory.</summary>
    public static async Task<BodyCredentials> ReadAsync(HttpContext context)
    {
        var body = new MemoryStream(); // not longer than the limit for requests
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        body.Position = 0;
        context.Request.Body = body;
        if (body.Length == 0)
            return new BodyCredentials();
        return JsonSerializer.Deserialize(
            body.GetBuffer().AsSpan(0, (int)body.Length),
            BodyCredentialsJson.Default.BodyCredentials
        ) ?? throw RequestException.BadRequest("The body is null.");
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(BodyCredentials))]
internal sealed partial class BodyCredentialsJson : JsonSerializerContext;
