using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Net.Http.Headers;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Files;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Downloads;

/// <summary>
/// GET /snapshots/{id}/manifest: the parts of a backup, so that it can be read part by part, and the properties of its
/// dataset.
/// </summary>
internal sealed class ManifestEndpoints(
    ClientAuthentication authentication,
    BackupCatalogue backups,
    BackupStore store,
    ZfsHost zfs
)
{
    /// <summary>A manifest of 6 TiB in parts of 16 MiB. A client reads a larger backup in one request.</summary>
    private const int MaxSize = 128 * 1024 * 1024;

    public static void Map(WebApplication app) =>
        app.MapGet("/snapshots/{id}/manifest", async context =>
            await (await app.Services.GetRequiredService<ManifestEndpoints>().GetAsync(context)).ExecuteAsync(context)
        );

    private async Task<IResult> GetAsync(HttpContext context)
    {
        var client = authentication.Authenticate(context.Request);
        // ASP.NET Core decodes a path except for %2F (docs: routing, "URL encoding"), and an id has a slash.
        var id = ((string)context.Request.RouteValues["id"]!).Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        var backup = backups.Find(client.ClientId, id)
            ?? throw RequestException.NotFound($"The backup {id} does not exist.");
        byte[] json;
        if (backup.IsLocal)
            json = await ZfsManifests.ReadAsync(zfs, backup, context.RequestAborted);
        else
            json = await ReadAsync(backup.StorageKey, context.RequestAborted);
        Check(json, backup);
        return Results.Bytes(
            json,
            "application/json",
            entityTag: new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA256.HashData(json))}\"")
        );
    }

    private async Task<byte[]> ReadAsync(string storageKey, CancellationToken cancellationToken)
    {
        var key = StorageKey.ManifestOf(storageKey);
        if (await store.Objects.FindAsync(key, cancellationToken) is not { Size: <= MaxSize } facts)
            throw RequestException.NotFound(
                $"The manifest of {storageKey} does not exist in the store, or is too large."
            );
        var json = new byte[facts.Size];
        await store.Objects.ReadAsync(key, 0, json, cancellationToken);
        return json;
    }

    private static void Check(byte[] json, SnapshotInfo backup)
    {
        try
        {
            var manifest = backup.IsLocal ? Manifest.ParseLocal(json) : Manifest.Parse(json);
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
