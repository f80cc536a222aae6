using System.Reflection;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;

namespace ZfsSnapshotManager.Server.Status;

/// <summary>GET /status, /snapshots and /health.</summary>
internal sealed class StatusEndpoints(ClientAuthentication authentication, BackupCatalogue backups, UploadCatalogue uploads)
{
    private static readonly string Version = Assembly.GetExecutingAssembly().GetName().Version?.ToString(3) ?? "";

    public static void Map(WebApplication app)
    {
        var endpoints = app.Services.GetRequiredService<StatusEndpoints>();
        app.MapGet("/status", endpoints.GetStatus);
        app.MapGet("/snapshots", endpoints.GetSnapshots);
        app.MapGet("/health", () => new HealthAnswer { Status = "ok", Version = Version });
    }

    private StatusAnswer GetStatus(HttpContext context)
    {
        var client = authentication.Authenticate(context.Request);
        var (count, bytes, newest) = backups.GetUsage(client.ClientId);
        return new StatusAnswer
        {
            Success = true,
            Message = $"{count} backups",
            ClientId = client.ClientId,
            StorageType = client.StorageType,
            UsedBytes = bytes,
            MaxSizeBytes = client.MaxSizeBytes,
            SnapshotCount = count,
            NewestSnapshot = newest,
            OpenUploads = uploads.Count(client.ClientId),
        };
    }

    private SnapshotsAnswer GetSnapshots(HttpContext context)
    {
        var client = authentication.Authenticate(context.Request);
        var list = backups.List(client.ClientId);
        return new SnapshotsAnswer { Success = true, Message = $"{list.Count} backups", Snapshots = list };
    }
}
