using Microsoft.AspNetCore.Authorization;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// Authenticates every request before its endpoint runs. An endpoint for everybody says so (<c>AllowAnonymous</c>): one
/// that forgets it refuses everybody.
/// </summary>
internal sealed partial class RequestAuthentication(
    ClientAuthentication authentication,
    ClientRegistry registry,
    ILogger<RequestAuthentication> logger
)
{
    public static void Use(WebApplication app) =>
        app.Use(app.Services.GetRequiredService<RequestAuthentication>().RunAsync);

    private async Task RunAsync(HttpContext context, RequestDelegate next)
    {
        // Endpoints of the framework answer 404 and 405.
        if (
            context.GetEndpoint() is not RouteEndpoint { Metadata: var metadata }
            || metadata.GetMetadata<IAllowAnonymous>() is not null
        )
        {
            await next(context);
            return;
        }

        metadata.GetMetadata<BeforeAuthentication>()?.Prepare(context);
        var body = new BodyCredentials();
        if (metadata.GetMetadata<KeyInBody>() is not null)
            body = await BodyCredentials.ReadAsync(context);
        var principal = authentication.Authenticate(context.Request, body.ClientId, body.ApiKey);
        var connection = context.RequestAborted;
        using var access = registry.BeginAccess(principal, connection);
        context.Features.Set<Principal>(principal);
        context.Features.Set(access);
        context.RequestAborted = access.Token;
        try
        {
            await next(context);
        }
        catch (Exception e) when (access.WasEnded)
        {
            LogEnded(context.Request.Method, context.Request.Path, principal.Client.ClientId);
            // A response that cannot be written any more is aborted by Kestrel itself: then nobody reads the reason.
            if (!context.Response.HasStarted && !connection.IsCancellationRequested)
                throw RequestException.ShutOut(e);
            context.Abort(); // a response that ends early must not look complete
        }
        finally
        {
            context.RequestAborted = connection;
        }
    }

    [LoggerMessage(LogLevel.Warning, "Ended {Method} {Path} of {ClientId}: its key is no longer accepted")]
    private partial void LogEnded(string method, string path, string clientId);
}

/// <summary>An endpoint whose requests may have the client id and key in their JSON body.</summary>
internal sealed class KeyInBody;

/// <summary>What an endpoint needs even for a request that is refused.</summary>
internal sealed record BeforeAuthentication(Action<HttpContext> Prepare);
