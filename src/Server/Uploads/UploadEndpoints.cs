using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>POST /upload and /upload-stream.</summary>
internal sealed partial class UploadEndpoints(
    ClientAuthentication authentication,
    UploadCatalogue uploads,
    BackupCatalogue backups,
    BackupStore store,
    UploadSessions sessions,
    UploadPlaces places,
    StreamReceiver receiver,
    UploadRecovery recovery,
    ServerSettings settings,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<UploadEndpoints> logger)
{
    private const int MaxParallelParts = 8;

    public static void Map(WebApplication app)
    {
        var endpoints = app.Services.GetRequiredService<UploadEndpoints>();
        app.MapPost("/upload", endpoints.RequestAsync);
        app.MapPost("/upload-stream/{id}", endpoints.ReceiveAsync);
        app.MapGet("/upload-stream/{id}", endpoints.GetStateAsync);
        app.MapDelete("/upload-stream/{id}", endpoints.AbortAsync);
    }

    private async Task RequestAsync(HttpContext context)
    {
        // Whatever content type it says it is: curl says "form" unless told otherwise.
        var request = await JsonSerializer.DeserializeAsync(context.Request.Body, ApiJson.Default.UploadRequest, context.RequestAborted).ConfigureAwait(false) ?? throw RequestException.BadRequest("The body is null.");
        var client = authentication.Authenticate(context.Request, request.ClientId, request.ApiKey);
        var wanted = UploadRequestReader.Read(request, client, Guid.NewGuid().ToString("N"));
        if (wanted is { KindIsGiven: true, SnapshotGuid: { } guid } && backups.Find(client.ClientId, wanted.DatasetName, guid, wanted.FromGuid) is { } same)
        {
            throw RequestException.Conflict("snapshot_exists", $"This snapshot is already stored as {same.SnapshotId}.");
        }

        if (wanted.FromGuid is { } from && backups.FindBases(client.ClientId, from).Count == 0)
        {
            throw RequestException.Conflict("base_missing", $"No backup here holds the base, the snapshot with GUID {from}.", "Send a full backup: zfs-client backup-full.");
        }

        var names = StorageKey.Candidates(client.ClientId, wanted.DatasetName, request.Timestamp ?? time.GetUtcNow(), wanted.Compression);
        var upload = uploads.FindSame(wanted) ?? await OpenAsync(wanted, names, context.RequestAborted).ConfigureAwait(false);
        await context.Response.WriteAsJsonAsync(
            new UploadAnswer
            {
                Success = true,
                Message = "Send the stream to upload_url.",
                UploadId = upload.UploadId,
                UploadUrl = $"/upload-stream/{upload.UploadId}",
                UploadMethod = "POST",
                StorageKey = upload.StorageKey,
                PartSize = store.Objects.PartSize,
                MaxPartSize = store.Objects.PartSize + StoredPart.MaxBlockSize,
                MaxParallelParts = MaxParallelParts,
            },
            ApiJson.Default.UploadAnswer,
            cancellationToken: context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>Reserves the first key that is free in the catalogue and in the store: a catalogue that was rebuilt may not know of all that is there.</summary>
    private async Task<UploadRecord> OpenAsync(UploadRecord wanted, IEnumerable<(string SnapshotId, string StorageKey)> names, CancellationToken cancellationToken)
    {
        foreach (var (id, key) in names)
        {
            if (uploads.IsFree(id) && !await store.ExistsAsync(key, cancellationToken).ConfigureAwait(false) && uploads.Open(wanted with { SnapshotId = id, StorageKey = key }) is { } opened) return opened;
        }

        throw new InvalidOperationException("The names have no end.");
    }

    private async Task ReceiveAsync(HttpContext context, string id)
    {
        AllowLongBody(context); // first: a refusal must reach a client that is already sending
        var client = authentication.Authenticate(context.Request);
        Find(client, id);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        using var session = await sessions.TakeOverAsync(id, stop.Token).ConfigureAwait(false);
        var upload = await FindSettledAsync(client, id, stop.Token).ConfigureAwait(false);
        SnapshotInfo backup;
        try
        {
            uploads.Touch(id, error: null);
            using var place = await places.TakeAsync(session.Token).ConfigureAwait(false);
            using var body = new IdleTimeoutStream(context.Request.Body, settings.UploadIdleTimeout, session.Token);
            backup = await receiver.ReceiveAsync(upload, body, session.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            var refused = lifetime.ApplicationStopping.IsCancellationRequested ? Stopping(e) : Explain(e, session, context.RequestAborted);
            uploads.Touch(id, refused.Error);
            LogRefused(id, client.ClientId, refused.Error.Code, refused.Message);
            context.Response.Headers.Connection = "close"; // the rest of the body is of no use to anybody
            throw refused;
        }

        await WriteStateAsync(context, upload, "committed", "The backup is verified and stored.", backup).ConfigureAwait(false);
    }

    private async Task GetStateAsync(HttpContext context, string id)
    {
        var upload = Find(authentication.Authenticate(context.Request), id);
        await WriteStateAsync(context, upload, sessions.IsActive(id) ? "receiving" : "open", "The upload is not committed.", backup: null).ConfigureAwait(false);
    }

    private async Task AbortAsync(HttpContext context, string id)
    {
        var client = authentication.Authenticate(context.Request);
        Find(client, id);
        using (await sessions.TakeOverAsync(id, context.RequestAborted).ConfigureAwait(false))
        {
            await FindSettledAsync(client, id, context.RequestAborted).ConfigureAwait(false);
            uploads.Remove(id);
        }

        await context.Response.WriteAsJsonAsync(new ApiAnswer { Success = true, Message = "The upload is dropped; nothing of it was kept." }, ApiJson.Default.ApiAnswer, cancellationToken: context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>The upload once nobody else works on it: the request before may have committed it, or failed in the middle of that.</summary>
    private async Task<UploadRecord> FindSettledAsync(ClientEntry client, string id, CancellationToken cancellationToken)
    {
        var upload = Find(client, id);
        return await recovery.RecoverAsync(upload, cancellationToken).ConfigureAwait(false) switch
        {
            RecoveredUpload.Open => upload,
            RecoveredUpload.Committed => throw RequestException.Conflict("snapshot_exists", $"This snapshot is already stored as {upload.SnapshotId}."),
            _ => throw new RequestException(StatusCodes.Status500InternalServerError, "internal_error", "What an earlier attempt left cannot be cleared away; the server's log says why."),
        };
    }

    private UploadRecord Find(ClientEntry client, string id) =>
        uploads.Find(client.ClientId, id) ?? throw RequestException.NotFound("There is no such open upload. It may be committed: GET /snapshots lists what is.");

    private static Task WriteStateAsync(HttpContext context, UploadRecord upload, string state, string message, SnapshotInfo? backup)
    {
        var lastError = backup is null ? upload.LastError : null;
        var answer = new UploadStateAnswer { Success = true, Message = message, UploadId = upload.UploadId, State = state, StorageKey = upload.StorageKey, LastError = lastError, Snapshot = backup };
        return context.Response.WriteAsJsonAsync(answer, ApiJson.Default.UploadStateAnswer, cancellationToken: context.RequestAborted);
    }

    /// <summary>Streams have no size limit and may pause: <c>zfs send</c> does, while it looks for changes.</summary>
    private static void AllowLongBody(HttpContext context)
    {
        context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
        if (context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate) rate.MinDataRate = null;
    }

    private static RequestException Stopping(Exception e) =>
        e as RequestException ?? new RequestException(StatusCodes.Status503ServiceUnavailable, "server_stopping", "The server is being stopped.", "Nothing was stored. Run the backup again when the server is back.", e);

    private static RequestException Explain(Exception e, UploadSessions.Session session, CancellationToken aborted) => e switch
    {
        RequestException refused => refused,
        StorageException failed => StorageFaults.ToRequest(failed, "Nothing was stored."),
        TimeoutException => new RequestException(StatusCodes.Status408RequestTimeout, "upload_idle", e.Message, "Nothing was stored. Run the backup again.", e),
        _ when session.WasReplaced => RequestException.Conflict("upload_replaced", "Another request took this upload over."),
        _ when aborted.IsCancellationRequested || e is BadHttpRequestException or OperationCanceledException or Microsoft.AspNetCore.Connections.ConnectionResetException =>
            new RequestException(StatusCodes.Status400BadRequest, "upload_broken_off", "The connection ended before the stream did.", "Nothing was stored. Run the backup again.", e),
        _ => new RequestException(StatusCodes.Status500InternalServerError, "internal_error", $"The server failed to store the stream: {e.Message}", "Nothing was stored; the server's log says more.", e),
    };

    [LoggerMessage(LogLevel.Warning, "Upload {UploadId} of {ClientId} ended without a commit ({Code}): {Reason}")]
    private partial void LogRefused(string uploadId, string clientId, string code, string reason);
}
