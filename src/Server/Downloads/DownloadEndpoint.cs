using ZfsSnapshotManager.Server.Backends;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Downloads;

/// <summary>GET /download: a backup as its backend sends it.</summary>
internal sealed class DownloadEndpoint(
    BackupCatalogue backups,
    BackupBackends backends,
    DownloadSlots slots,
    ReadLeases leases
)
{
    public static void Map(WebApplication app) =>
        app.MapGet("/download", context => app.Services.GetRequiredService<DownloadEndpoint>().DownloadAsync(context));

    private async Task DownloadAsync(HttpContext context)
    {
        var client = context.GetClient();
        var id = context.Request.Query["snapshot_id"].ToString();
        if (id.Length == 0)
            throw RequestException.BadRequest("snapshot_id is missing.");
        var backup = backups.Find(client.ClientId, id)
            ?? throw RequestException.NotFound($"The backup {id} does not exist.");
        leases.Renew(client.ClientId, backup.SnapshotId);
        using var running = await slots.BeginAsync(client.ClientId, context.RequestAborted);
        await backends.Of(backup).SendAsync(context, backup);
    }
}
