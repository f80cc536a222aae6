using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>POST, GET and DELETE /upload-stream/{id}: the stream in one body, the upload's state, its end.</summary>
internal sealed class UploadStreamEndpoints(
    UploadLookup lookup,
    PartCatalogue parts,
    UploadSessions sessions,
    BodyRequests bodies,
    WholeStreamReceiver receiver,
    UploadRecovery recovery
)
{
    private const int DigestsInPiece = 1024;

    public static void Map(WebApplication app)
    {
        var endpoints = app.Services.GetRequiredService<UploadStreamEndpoints>();
        app.MapPost("/upload-stream/{id}", endpoints.ReceiveAsync).WithMetadata(BodyRequests.LongBody);
        app.MapGet("/upload-stream/{id}", endpoints.GetStateAsync);
        app.MapGet("/upload-stream/{id}/part-digests", endpoints.GetPartDigestsAsync);
        app.MapDelete("/upload-stream/{id}", endpoints.DropAsync);
    }

    private async Task ReceiveAsync(HttpContext context, string id)
    {
        var client = context.GetClient();
        lookup.Find(client, id);
        using var stop = bodies.LinkToShutdown(context);
        using var session = await sessions.TakeOverAsync(id, stop.Token);
        var found = await lookup.TakeOverAsync(client, id, stop.Token);
        var upload = found with { RequestAddress = ServerEvent.AddressOf(context) };
        SnapshotInfo backup;
        try
        {
            backup = await receiver.ReceiveAsync(
                upload,
                client,
                context.Request.ContentLength,
                () => bodies.OpenBody(context, session),
                session.Token
            );
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw bodies.Refuse(context, session, upload, e);
        }

        await CommitAnswer.WriteCommittedAsync(context, upload, backup);
    }

    private async Task GetStateAsync(HttpContext context, string id)
    {
        var upload = lookup.Find(context.GetClient(), id);
        await CommitAnswer.WriteOpenAsync(context, upload, sessions.IsActive(id));
    }

    /// <summary>32 bytes for each part before the first missing one.</summary>
    private async Task GetPartDigestsAsync(HttpContext context, string id)
    {
        var upload = lookup.Find(context.GetClient(), id);
        context.Response.ContentType = "application/octet-stream";
        foreach (var piece in parts.WalkRun(upload.UploadId).Chunk(DigestsInPiece))
        {
            var digests = Convert.FromHexString(string.Concat(piece.Select(part => part.Sha256)));
            await context.Response.Body.WriteAsync(digests, context.RequestAborted);
        }
    }

    private async Task DropAsync(HttpContext context, string id)
    {
        var client = context.GetClient();
        lookup.Find(client, id);
        bool isRemoved;
        using (await sessions.TakeOverAsync(id, context.RequestAborted))
        {
            var upload = await lookup.TakeOverToDropAsync(client, id, context.RequestAborted);
            isRemoved = await recovery.DropAsync(
                upload with
                {
                    RequestAddress = ServerEvent.AddressOf(context),
                },
                context.RequestAborted
            );
        }

        await context.Response.WriteAsJsonAsync(
            new ApiAnswer
            {
                Success = true,
                Message = isRemoved
                    ? "The upload is dropped; nothing of it was kept."
                    : "The upload is dropped; what is stored of it cannot be removed now, and is removed later.",
            },
            ApiJson.Default.ApiAnswer,
            cancellationToken: context.RequestAborted
        );
    }
}
