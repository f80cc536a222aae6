using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// Limits how many requests of one client run at once, and more closely those that make a list: it is in memory, and
/// <c>zfs</c> may run for it, until the client has read the answer.
/// </summary>
internal sealed class RequestLimits
{
    private readonly FairSlots _requests = new(int.MaxValue, Limits.RequestsPerClient);
    private readonly FairSlots _lists = new(Limits.Lists, Limits.ListsPerClient);

    /// <summary>After <see cref="RequestAuthentication"/>: whoever has no key has no share.</summary>
    public static void Use(WebApplication app) => app.Use(app.Services.GetRequiredService<RequestLimits>().RunAsync);

    private async Task RunAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Features.Get<Principal>() is not ClientPrincipal { Client.ClientId: var client })
        {
            await next(context);
            return;
        }

        using var request = await _requests.AcquireAsync(client, Limits.ReadPatience, context.RequestAborted)
            ?? throw RequestException.Busy(
                $"{Limits.RequestsPerClient} requests of this client are running.",
                "Try again when some of them have ended."
            );
        if (context.GetEndpoint()?.Metadata.GetMetadata<MakesList>() is null)
        {
            await next(context);
            return;
        }

        using var list = await _lists.AcquireAsync(client, Limits.ReadPatience, context.RequestAborted)
            ?? throw RequestException.Busy(
                $"{Limits.Lists} lists are being read, or {Limits.ListsPerClient} of this client, and none of them was "
                    + $"read to its end within {Limits.ReadPatience.TotalSeconds:0} s.",
                "Try again later."
            );
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate)
            rate.MinDataRate = new MinDataRate(Limits.ListBytesPerSecond, Limits.ListGrace);
        await next(context);
    }
}

/// <summary>An endpoint that makes a list, or something else as large, in memory.</summary>
internal sealed class MakesList;
