using System.Text.Json;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Uploads.Parts;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>PUT /upload-stream/{id}/parts/{number}, and POST /upload-stream/{id}/complete.</summary>
internal sealed class PartEndpoints(
    UploadLookup lookup,
    UploadSessions sessions,
    BodyRequests bodies,
    PartReceiver receiver,
    UploadBackends backends,
    PartsCompletion completion
)
{
    public static void Map(WebApplication app)
    {
        var endpoints = app.Services.GetRequiredService<PartEndpoints>();
        app.MapPut("/upload-stream/{id}/parts/{number}", endpoints.ReceiveAsync).WithMetadata(BodyRequests.LongBody);
        app.MapPost("/upload-stream/{id}/complete", endpoints.CompleteAsync);
    }

    private async Task ReceiveAsync(HttpContext context, string id, string number)
    {
        var client = context.GetClient();
        lookup.Find(client, id);
        var request = PartRequest.Read(context.Request, number, receiver.MaxPartSize);
        using var stop = bodies.LinkToShutdown(context);
        var (upload, joined) = await JoinAsync(client, id, request.Number, stop.Token);
        using var session = joined;
        PartRecord part;
        try
        {
            part = await backends
                .Of(upload)
                .ReceivePartAsync(upload, client, request, session, slot =>
                    bodies.OpenPart(context, session, slot, request.Size)
                );
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw bodies.Refuse(context, session, upload, e);
        }

        await WriteAsync(context, request, part);
    }

    /// <summary>
    /// Joins those that send parts of an upload. A commit that failed is settled first, also if it was still under way
    /// when this request came: until then nobody knows whether its objects are those of a body.
    /// </summary>
    /// <exception cref="RequestException">As of <see cref="UploadLookup.TakeOverAsync"/>.</exception>
    private async Task<(UploadRecord Upload, UploadSessions.Session Session)> JoinAsync(
        ClientEntry client,
        string id,
        int part,
        CancellationToken cancellationToken
    )
    {
        while (true)
        {
            // One that is under way is not disturbed.
            if (!lookup.Find(client, id).TakesParts && sessions.TryBegin(id) is { } alone)
            {
                using (alone)
                    await lookup.TakeOverAsync(client, id, cancellationToken);
            }

            var session = await sessions.TakeOverPartAsync(id, part, cancellationToken);
            var isJoined = false;
            try
            {
                var upload = lookup.Join(client, id); // the request that it waited for may have dropped it
                isJoined = upload.TakesParts;
                if (isJoined)
                    return (upload, session);
            }
            finally
            {
                if (!isJoined)
                    session.Dispose();
            }
        }
    }

    private static Task WriteAsync(HttpContext context, PartRequest request, PartRecord part)
    {
        var isRead = ParserState.TryParse(part.EndState, out var end);
        var answer = new PartAnswer
        {
            Success = isRead,
            Message = "The part is checked and stored.",
            Part = part.Number,
            SizeBytes = part.Size,
            StreamBytes = (end?.StreamOffset ?? 0) - request.Start.StreamOffset,
            State = part.EndState,
        };
        return context.Response.WriteAsJsonAsync(
            answer,
            ApiJson.Default.PartAnswer,
            cancellationToken: context.RequestAborted
        );
    }

    private async Task CompleteAsync(HttpContext context, string id)
    {
        var client = context.GetClient();
        var request = await JsonSerializer.DeserializeAsync(
            context.Request.Body,
            ApiJson.Default.CompleteRequest,
            context.RequestAborted
        ) ?? throw RequestException.BadRequest("The body is null.");
        lookup.Find(client, id);
        using var session = await sessions.TakeOverAsync(id, context.RequestAborted);
        var upload = await lookup.TakeOverAsync(client, id, context.RequestAborted);
        var backup = await completion.CompleteAsync(
            upload with
            {
                RequestAddress = ServerEvent.AddressOf(context),
            },
            request
        );
        await CommitAnswer.WriteCommittedAsync(context, upload, backup);
    }
}
