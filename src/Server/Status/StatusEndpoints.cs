using System.Reflection;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Rotation;

namespace ZfsSnapshotManager.Server.Status;

/// <summary>GET /status, /snapshots and /health.</summary>
internal sealed class StatusEndpoints(ClientAuthentication authentication, BackupCatalogue backups, UploadCatalogue uploads, ClientQuota quota)
{
    private static readonly string Version = Assembly.GetExecutingAssembly().GetName().Version?.ToString(3) ?? "";

    public static void Map(WebApplication app)
    {
        var endpoints = app.Services.GetRequiredService<StatusEndpoints>();
        app.MapGet("/status", endpoints.GetStatus);
        app.MapGet("/snapshots", endpoints.GetSnapshots);
        app.MapGet("/health", context => context.Response.WriteAsJsonAsync(new HealthAnswer { Status = "ok", Version = Version }, ApiJson.Default.HealthAnswer));
    }

    private Task GetStatus(HttpContext context)
    {
        var client = authentication.Authenticate(context.Request);
        var (count, newest, expiring) = backups.GetSummary(client.ClientId);
        var (used, reserved) = quota.GetUsage(client.ClientId);
        var status = new StatusAnswer
        {
            Success = true,
            Message = $"Backups: {count}",
            ClientId = client.ClientId,
            StorageType = client.StorageType,
            UsedBytes = used,
            MaxSizeBytes = client.MaxSizeBytes,
            SnapshotCount = count,
            NewestSnapshot = newest,
            NextDue = newest is { } last ? client.RotationPolicy?.NextDue(last) : null,
            OpenUploads = uploads.List(client.ClientId).Count,
            ReservedBytes = reserved,
            ExpiringCount = expiring,
        };
        return context.Response.WriteAsJsonAsync(status, ApiJson.Default.StatusAnswer, cancellationToken: context.RequestAborted);
    }

    private Task GetSnapshots(HttpContext context)
    {
        var client = authentication.Authenticate(context.Request);
        var list = backups.List(client.ClientId);
        var answer = new SnapshotsAnswer { Success = true, Message = $"Backups: {list.Count}", Snapshots = [] };
        return LongAnswer.WriteAsync(context, answer, ApiJson.Default.SnapshotsAnswer, list, ApiJson.Default.SnapshotInfo);
    }
}
