using System.Reflection;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Status;

/// <summary>GET /status, /snapshots and /health.</summary>
internal sealed class StatusEndpoints(
    CatalogueDatabase database,
    BackupCatalogue backups,
    UploadCatalogue uploads,
    MachineCatalogue machines,
    ClientQuota quota,
    ClientDatasets datasets,
    PossibleBases bases
)
{
    private static readonly string Version = Assembly.GetExecutingAssembly().GetName().Version?.ToString(3) ?? "";

    public static void Map(WebApplication app)
    {
        var endpoints = app.Services.GetRequiredService<StatusEndpoints>();
        app.MapGet("/status", endpoints.GetStatusAsync).WithMetadata(new MakesList());
        app.MapGet("/snapshots", endpoints.GetSnapshotsAsync).WithMetadata(new MakesList());
        app.MapGet("/health", AnswerHealth).AllowAnonymous();
        app.MapMethods("/health", [HttpMethods.Head], AnswerHealth).AllowAnonymous(); // monitors and balancers ask so
    }

    private static Task AnswerHealth(HttpContext context) =>
        context.Response.WriteAsJsonAsync(
            new HealthAnswer { Status = "ok", Version = Version },
            ApiJson.Default.HealthAnswer
        );

    private async Task GetStatusAsync(HttpContext context)
    {
        var client = context.GetClient();
        if (backups.HasLocal(client.ClientId))
            await datasets.GetUsedAsync(client, context.RequestAborted);
        var summary = backups.GetSummary(client.ClientId);
        var (used, reserved) = quota.GetUsage(client.ClientId);
        var status = new StatusAnswer
        {
            Success = true,
            Message = $"Backups: {summary.Count}",
            ServerId = database.Id,
            ClientId = client.ClientId,
            StorageType = client.StorageType,
            UsedBytes = used,
            MaxSizeBytes = client.MaxSizeBytes,
            SnapshotCount = summary.Count,
            NewestSnapshot = summary.Newest,
            NewestReceivedAt = summary.NewestReceived,
            WrongClockCount = summary.Ahead,
            NextDue = summary.Newest is { } last ? client.RotationPolicy?.NextDue(last) : null,
            OpenUploads = uploads.Count(client.ClientId),
            ReservedBytes = reserved,
            ExpiringCount = summary.Expiring,
            Machines = machines.List(client.ClientId),
        };
        await context.Response.WriteAsJsonAsync(
            status,
            ApiJson.Default.StatusAnswer,
            cancellationToken: context.RequestAborted
        );
    }

    private async Task GetSnapshotsAsync(HttpContext context)
    {
        var client = context.GetClient();
        var storageType = context.Request.Query["storage_type"].ToString() is { Length: > 0 } asked
            ? asked
            : client.StorageType;
        if (!StorageTypes.IsKnown(storageType))
            throw RequestException.BadRequest($"storage_type: '{storageType}' is not known; it may be s3 or local.");
        var list = await bases.MarkAsync(client, backups.List(client.ClientId), storageType, context.RequestAborted);
        var answer = new SnapshotsAnswer
        {
            Success = true,
            Message = $"Backups: {list.Count}",
            ServerId = database.Id,
            Snapshots = [],
        };
        await JsonListResponse.WriteAsync(
            context,
            answer,
            ApiJson.Default.SnapshotsAnswer,
            list,
            ApiJson.Default.SnapshotInfo
        );
    }
}
