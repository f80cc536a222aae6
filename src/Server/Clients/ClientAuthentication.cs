using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>Finds out which client a request comes from. Unknown, disabled and wrongly keyed clients get one and the same answer.</summary>
internal sealed class ClientAuthentication(ClientRegistry registry, TimeProvider time)
{
    /// <summary>Key from <c>X-API-Key</c>, <c>Authorization: Bearer</c>, the query or the JSON body, in this order; the client's name likewise, and by the key alone where no name is given.</summary>
    /// <exception cref="RequestException">401.</exception>
    public ClientEntry Authenticate(HttpRequest request, string? bodyClientId = null, string? bodyKey = null)
    {
        var key = FirstOf(request.Headers["X-API-Key"], Bearer(request), request.Query["api_key"], bodyKey);
        var id = FirstOf(request.Headers["X-Client-ID"], request.Query["client_id"], bodyClientId);
        if (key is null) throw RequestException.Unauthorized();
        var client = id is null ? FindByKey(key) : FindByName(id, key);
        var contradicted = bodyClientId is not null && client is not null && bodyClientId != client.ClientId;
        return client is { Enabled: true } && !contradicted ? client : throw RequestException.Unauthorized();
    }

    private ClientEntry? FindByName(string id, string key)
    {
        var client = registry.Current().FirstOrDefault(c => c.ClientId == id);
        return ApiKey.Matches(key, client, time.GetUtcNow()) ? client : null;
    }

    private ClientEntry? FindByKey(string key)
    {
        var now = time.GetUtcNow();
        ClientEntry? found = null;
        foreach (var client in registry.Current())
        {
            if (ApiKey.Matches(key, client, now)) found = client; // all are compared, whichever matches
        }

        return found;
    }

    private static string? Bearer(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) ? header["Bearer ".Length..].Trim() : null;
    }

    private static string? FirstOf(params ReadOnlySpan<string?> values)
    {
        foreach (var value in values)
        {
            if (!string.IsNullOrEmpty(value)) return value;
        }

        return null;
    }
}
