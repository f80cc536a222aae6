using System.Text.Json;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Uploads.Zfs;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>PUT /upload-stream/{id}/parts/{number}, and POST /upload-stream/{id}/complete.</summary>
internal sealed partial class PartEndpoints(
    ClientAuthentication authentication,
    UploadEndpoints uploads,
    UploadSessions sessions,
    BackupStore store,
    PartSlots places,
    PartReceiver receiver,
    LocalPartReceiver localReceiver,
    LocalUploads local,
    PartCatalogue parts,
    ClientQuota quota,
    PartsCompletion completion,
    AuditLog audit,
    ServerSettings settings,
    IHostApplicationLifetime lifetime,
    ILogger<PartEndpoints> logger
)
{
    public static void Map(WebApplication app)
    {
        var endpoints = app.Services.GetRequiredService<PartEndpoints>();
        app.MapPut("/upload-stream/{id}/parts/{number}", endpoints.ReceiveAsync);
        app.MapPost("/upload-stream/{id}/complete", endpoints.CompleteAsync);
    }

    private async Task ReceiveAsync(HttpContext context, string id, string number)
    {
        UploadFailures.AllowLongBody(context);
        var client = authentication.Authenticate(context.Request);
        uploads.Find(client, id);
        var request = PartRequest.Read(context.Request, number, store.Objects.PartSize + StoredPart.MaxBlockSize);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(
            context.RequestAborted,
            lifetime.ApplicationStopping
        );
        using var session = await sessions.TakeOverPartAsync(id, request.Number, stop.Token);
        var upload = uploads.Find(client, id); // what it waited for may have dropped it
        PartRecord part;
        try
        {
            part = upload.IsLocal
                ? await localReceiver.ReceiveAsync(upload, client, request, session, () =>
                    new IdleTimeoutStream(context.Request.Body, settings.UploadIdleTimeout, session.Token)
                )
                : await ReceiveObjectAsync(context, upload, client, request, session);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw uploads.Refuse(
                context,
                client,
                id,
                UploadFailures.Explain(e, session, context.RequestAborted, lifetime.ApplicationStopping)
            );
        }

        var read = StreamState.TryRead(part.EndState, out var end);
        var answer = new PartAnswer
        {
            Success = read,
            Message = "The part is checked and stored.",
            Part = part.Number,
            SizeBytes = part.Size,
            StreamBytes = (end?.StreamOffset ?? 0) - request.Start.StreamOffset,
            State = part.EndState,
        };
        await context.Response.WriteAsJsonAsync(
            answer,
            ApiJson.Default.PartAnswer,
            cancellationToken: context.RequestAborted
        );
    }

    private async Task<PartRecord> ReceiveObjectAsync(
        HttpContext context,
        UploadRecord upload,
        ClientEntry client,
        PartRequest request,
        UploadSessions.Session session
    )
    {
        using var place = await places.TakeAsync(client.ClientId, session.Token);
        using var reservation = quota.Open(client);
        if (request.Size - (parts.Find(upload.UploadId, request.Number)?.Size ?? 0) is > 0 and var more)
            await reservation.GrowAsync(more);
        using var body = new IdleTimeoutStream(context.Request.Body, settings.UploadIdleTimeout, session.Token);
        return await receiver.ReceiveAsync(upload, request, session, body, reservation);
    }

    private async Task CompleteAsync(HttpContext context, string id)
    {
        var client = authentication.Authenticate(context.Request);
        var request = await JsonSerializer.DeserializeAsync(
            context.Request.Body,
            ApiJson.Default.CompleteRequest,
            context.RequestAborted
        ) ?? throw RequestException.BadRequest("The body is null.");
        uploads.Find(client, id);
        using var session = await sessions.TakeOverAsync(id, context.RequestAborted);
        var upload = await uploads.FindSettledAsync(client, id, context.RequestAborted);
        try
        {
            var backup = await (
                upload.IsLocal ? local.CompleteAsync(upload, request) : completion.CompleteAsync(upload, request)
            );
            audit.Write(
                AuditEvent.OfRequest(context, AuditEvents.BackupCommitted, client.ClientId) with
                {
                    SnapshotId = backup.SnapshotId,
                }
            );
            await UploadEndpoints.WriteStateAsync(
                context,
                upload,
                "committed",
                "The backup is verified and stored.",
                backup
            );
        }
        catch (RequestException e)
        {
            LogIncomplete(id, client.ClientId, e.Message);
            throw;
        }
    }

    [LoggerMessage(LogLevel.Warning, "Upload {UploadId} of {ClientId} was not completed: {Reason}")]
    private partial void LogIncomplete(string uploadId, string clientId, string reason);
}
