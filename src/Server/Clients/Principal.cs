using Microsoft.AspNetCore.Http.Features;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>Who makes a request, once it is authenticated.</summary>
internal abstract record Principal;

/// <param name="Client">The client, as it was when the request began.</param>
/// <param name="KeyHash">SHA-256 of the key in the request.</param>
internal sealed record ClientPrincipal(ClientEntry Client, string KeyHash) : Principal
{
    /// <summary>Whether the key is still accepted.</summary>
    /// <param name="clients">The current clients.</param>
    public bool IsAccepted(IEnumerable<ClientEntry> clients, DateTimeOffset now) =>
        clients.FirstOrDefault(client => client.ClientId == Client.ClientId) is { Enabled: true } client
        && ApiKey.IsAccepted(KeyHash, client, now);
}

internal static class PrincipalOfRequest
{
    /// <summary>The client that makes the request. <see cref="RequestAuthentication"/> has authenticated it.</summary>
    public static ClientEntry GetClient(this HttpContext context) =>
        context.Features.GetRequiredFeature<Principal>() is ClientPrincipal client
            ? client.Client
            : throw new InvalidOperationException("The endpoint is for clients.");
}
