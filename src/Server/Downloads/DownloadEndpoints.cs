using Microsoft.AspNetCore.Http.Headers;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Net.Http.Headers;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Downloads;

/// <summary>GET /download: the stored bytes as they are, whole or by range.</summary>
internal sealed partial class DownloadEndpoints(ClientAuthentication authentication, BackupCatalogue backups, BackupStore store, ILogger<DownloadEndpoints> logger)
{
    public static void Map(WebApplication app) => app.MapGet("/download", async context => await (await app.Services.GetRequiredService<DownloadEndpoints>().DownloadAsync(context).ConfigureAwait(false)).ExecuteAsync(context).ConfigureAwait(false));

    private async Task<IResult> DownloadAsync(HttpContext context)
    {
        var client = authentication.Authenticate(context.Request);
        var id = context.Request.Query["snapshot_id"].ToString();
        if (id.Length == 0) throw RequestException.BadRequest("snapshot_id is missing.");
        var backup = backups.Find(client.ClientId, id) ?? throw RequestException.NotFound($"There is no backup {id}.");

        // A restore writes into zfs receive, which may pause for long; a slow reader is not an attacker here.
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate) rate.MinDataRate = null;
        return Results.Stream(
            await OpenAsync(backup, context.Request.GetTypedHeaders(), context.RequestAborted).ConfigureAwait(false),
            CompressionFormats.TryParse(backup.Compression, out var format) ? format.ContentType() : CompressionFormat.None.ContentType(),
            Path.GetFileName(backup.StorageKey),
            backup.ReceivedAt,
            new EntityTagHeaderValue($"\"{backup.PartsSha256}\""),
            enableRangeProcessing: true);
    }

    /// <summary>Reads the first part that is asked for before anything is answered: what is missing or damaged there is told, not broken off.</summary>
    private async Task<BackupStream> OpenAsync(SnapshotInfo backup, RequestHeaders headers, CancellationToken cancellationToken)
    {
        var stream = await FindAsync(backup, cancellationToken).ConfigureAwait(false);
        try
        {
            if (headers.Range?.Ranges.SingleOrDefault() is { } range)
            {
                var start = range.From ?? Math.Max(0, stream.Length - (range.To ?? 0));
                stream.ReadAheadEnd = range is { From: not null, To: { } last } && last < stream.Length ? last + 1 : stream.Length;
                stream.Position = Math.Min(start, stream.Length);
            }

            await stream.PrepareAsync(cancellationToken).ConfigureAwait(false);
            stream.Position = 0; // where an answer without ranges is read from
            return stream;
        }
        catch (Exception e)
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            if (e is StorageException { Fault: StorageFault.Missing or StorageFault.Damaged }) LogBroken(backup.SnapshotId, e.Message);
            throw;
        }
    }

    private async Task<BackupStream> FindAsync(SnapshotInfo backup, CancellationToken cancellationToken)
    {
        if (await store.ReadManifestAsync(backup.StorageKey, cancellationToken).ConfigureAwait(false) is { } manifest)
        {
            if (manifest.PartsSha256 != backup.PartsSha256 || manifest.StoredBytes != backup.SizeBytes) throw new StorageException(StorageFault.Damaged, $"The manifest of {backup.SnapshotId} is not the one that was stored.");
            foreach (var stored in manifest.Objects) await CheckSizeAsync(backup, stored.Key, stored.Size, cancellationToken).ConfigureAwait(false);
            return store.OpenRead(manifest);
        }

        // The object may still be there: what can be restored shall be. The reader checks all of it against the catalogue's digest.
        LogNoManifest(backup.StorageKey);
        await CheckSizeAsync(backup, backup.StorageKey, backup.SizeBytes, cancellationToken).ConfigureAwait(false);
        return store.OpenUnchecked(backup.StorageKey, backup.SizeBytes);
    }

    /// <summary>Bytes after the last part would be seen by nobody who reads by parts, and yet spoil what other tools make of the object.</summary>
    private async Task CheckSizeAsync(SnapshotInfo backup, string key, long size, CancellationToken cancellationToken)
    {
        if (await store.Objects.FindAsync(key, cancellationToken).ConfigureAwait(false) is not { } facts) throw new StorageException(StorageFault.Missing, $"The object of {backup.SnapshotId} is no longer in the store.");
        if (facts.Size != size) throw new StorageException(StorageFault.Damaged, $"The object of {backup.SnapshotId} has not the size that was stored.");
    }

    [LoggerMessage(LogLevel.Error, "{SnapshotId} is listed and cannot be read: {Reason}")]
    private partial void LogBroken(string snapshotId, string reason);

    [LoggerMessage(LogLevel.Error, "The manifest of {StorageKey} is not in the store; its object is given out without it")]
    private partial void LogNoManifest(string storageKey);
}
