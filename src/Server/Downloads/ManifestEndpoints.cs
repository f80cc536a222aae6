using System.Text.Json;
using Microsoft.Net.Http.Headers;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Backends;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Files;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Downloads;

/// <summary>
/// GET /snapshots/{id}/manifest: the parts of a backup, so that it can be read part by part, and the properties of its
/// dataset.
/// </summary>
internal sealed class ManifestEndpoints(
    BackupCatalogue backups,
    BackupBackends backends,
    ReadLeases leases,
    RequestEvents events
)
{
    /// <summary>nginx (<c>proxy_pass</c> with a path) and others pass the %2F of an id on as a slash.</summary>
    private const string PathWithSlash = "/snapshots/{client}/{name}/manifest";

    public static void Map(WebApplication app)
    {
        app.MapGet("/snapshots/{id}/manifest", AnswerAsync).WithMetadata(new MakesList());
        app.MapGet(PathWithSlash, AnswerAsync).WithMetadata(new MakesList());

        async Task AnswerAsync(HttpContext context) =>
            await (await app.Services.GetRequiredService<ManifestEndpoints>().GetAsync(context)).ExecuteAsync(context);
    }

    private async Task<IResult> GetAsync(HttpContext context)
    {
        var client = context.GetClient();
        // ASP.NET Core decodes a path except for %2F (docs: routing, "URL encoding"), and an id has a slash.
        var route = context.Request.RouteValues;
        var id = route.TryGetValue("id", out var whole) ? (string)whole! : $"{route["client"]}/{route["name"]}";
        id = id.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        var backup = backups.Find(client.ClientId, id)
            ?? throw RequestException.NotFound($"The backup {id} does not exist.");
        leases.Renew(client.ClientId, backup.SnapshotId);
        var backend = backends.Of(backup);
        var json = await backend.OpenManifestAsync(backup, context.RequestAborted);
        // All of it is read before a byte is sent: what follows may contradict what came before.
        await CheckAsync(backend, json, backup, context.RequestAborted);
        json.Position = 0;
        events.PublishRead(context, ServerEvents.ManifestRead, backup.SnapshotId);
        // It is never changed. A key may be used again after a deletion, even for the same stream.
        var tag = $"\"{backup.PartsSha256}-{backup.ReceivedAt.ToUnixTimeMilliseconds()}\"";
        return Results.Stream(json, "application/json", entityTag: new EntityTagHeaderValue(tag));
    }

    private static async Task CheckAsync(
        IBackupBackend backend,
        Stream json,
        SnapshotInfo backup,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var manifest = await backend.ReadManifestAsync(json, cancellationToken);
            if (manifest.PartsSha256 == backup.PartsSha256 && manifest.SnapshotGuid == backup.SnapshotGuid)
                return;
        }
        catch (JsonException e)
        {
            throw new StorageException(
                StorageFault.Damaged,
                $"The manifest of {backup.SnapshotId} is invalid: {JsonFault.Describe(e)}.",
                e
            );
        }

        throw new StorageException(
            StorageFault.Damaged,
            $"The manifest of {backup.SnapshotId} is not the one that was stored."
        );
    }
}
