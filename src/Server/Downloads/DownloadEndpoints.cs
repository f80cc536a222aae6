using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Net.Http.Headers;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Downloads;

/// <summary>GET /download: the stored object as it is, whole or by range.</summary>
internal sealed partial class DownloadEndpoints(ClientAuthentication authentication, BackupCatalogue backups, DirectoryStore store, ILogger<DownloadEndpoints> logger)
{
    public static void Map(WebApplication app) => app.MapGet("/download", app.Services.GetRequiredService<DownloadEndpoints>().Download);

    private IResult Download(HttpContext context)
    {
        var client = authentication.Authenticate(context.Request);
        var id = context.Request.Query["snapshot_id"].ToString();
        if (id.Length == 0) throw RequestException.BadRequest("snapshot_id is missing.");
        var backup = backups.Find(client.ClientId, id) ?? throw RequestException.NotFound($"There is no backup {id}.");

        // A restore writes into zfs receive, which may pause for long; a slow reader is not an attacker here.
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate) rate.MinDataRate = null;
        return Results.Stream(
            Open(backup),
            backup.Compression == "gzip" ? "application/gzip" : "application/octet-stream",
            Path.GetFileName(backup.StorageKey),
            backup.ReceivedAt,
            new EntityTagHeaderValue($"\"{backup.Sha256}\""),
            enableRangeProcessing: true);
    }

    private FileStream Open(SnapshotInfo backup)
    {
        try
        {
            var file = store.OpenRead(backup.StorageKey);
            if (file.Length == backup.SizeBytes) return file;
            file.Dispose();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            LogMissing(backup.StorageKey);
            throw new RequestException(StatusCodes.Status500InternalServerError, "object_missing", $"The object of {backup.SnapshotId} is no longer in the store.", "Look for it in the server's backups; other backups are not affected.", e);
        }

        throw new RequestException(StatusCodes.Status500InternalServerError, "object_damaged", $"The object of {backup.SnapshotId} has not the size that was stored.", "Other backups are not affected.");
    }

    [LoggerMessage(LogLevel.Error, "The object {StorageKey} is listed and not in the store")]
    private partial void LogMissing(string storageKey);
}
