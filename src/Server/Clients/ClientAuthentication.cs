using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// Authenticates the client of a request. Unknown and disabled clients and wrong keys get the same answer
/// (docs/decisions/0009).
/// </summary>
internal sealed class ClientAuthentication(
    ClientRegistry registry,
    AuthenticationLimit limit,
    AuthenticationFailures failures,
    TimeProvider time
)
{
    /// <summary>
    /// Key from <c>X-API-Key</c>, <c>Authorization: Bearer</c>, the query or the JSON body, in this order; the client
    /// id likewise, or by the key alone if no id is given.
    /// </summary>
    /// <exception cref="RequestException">401; or 429, before the key is compared, after too many failures.</exception>
    public ClientPrincipal Authenticate(HttpRequest request, string? bodyClientId = null, string? bodyKey = null)
    {
        var key = FirstOf(request.Headers["X-API-Key"], Bearer(request), request.Query["api_key"], bodyKey);
        var id = FirstOf(request.Headers["X-Client-ID"], request.Query["client_id"], bodyClientId);
        if (limit.FindWait(request.HttpContext.Connection.RemoteIpAddress, id) is { } wait)
            throw RequestException.TooManyFailures(wait);
        if (key is null)
            throw Refuse(request.HttpContext, id, "no key");
        var client = id is null ? FindByKey(key) : FindById(id, key);
        if (client is { Enabled: false })
            throw Refuse(request.HttpContext, id, "disabled");
        if (client is null || (bodyClientId is not null && bodyClientId != client.ClientId))
            throw Refuse(request.HttpContext, id, "wrong name or key");
        return new ClientPrincipal(client, ApiKey.Hash(key));
    }

    /// <summary>Only ids of existing clients are logged: the key may have been sent in place of the id.</summary>
    private RequestException Refuse(HttpContext context, string? id, string reason)
    {
        limit.Count(context.Connection.RemoteIpAddress, id);
        var known = registry.Current().FirstOrDefault(client => client.ClientId == id)?.ClientId;
        failures.Count(ServerEvent.AddressOf(context), known, reason);
        return RequestException.Unauthorized();
    }

    private ClientEntry? FindById(string id, string key)
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
            if (ApiKey.Matches(key, client, now))
                found = client; // all are compared, so that the time does not tell which one matched
        }

        return found;
    }

    private static string? Bearer(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
            ? header["Bearer ".Length..].Trim()
            : null;
    }

    private static string? FirstOf(params ReadOnlySpan<string?> values)
    {
        foreach (var value in values)
        {
            if (!string.IsNullOrEmpty(value))
                return value;
        }

        return null;
    }
}
