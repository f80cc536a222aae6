using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Uploads.Parts;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// What requests with long bodies have in common: no limit but the idle timeout, an end when the server stops, and an
/// error for every way in which they end early.
/// </summary>
internal sealed partial class BodyRequests(
    UploadCatalogue uploads,
    ServerSettings settings,
    TimeProvider time,
    IHostApplicationLifetime lifetime,
    ILogger<BodyRequests> logger
)
{
    /// <summary>First of all: a refusal must reach a client that is already sending.</summary>
    public static readonly BeforeAuthentication LongBody = new(AllowLongBody);

    /// <summary>
    /// Lifts Kestrel's limits on a body. By default it refuses more than 30 MB and ends a connection below 240 bytes a
    /// second; but streams have no size limit, and <c>zfs send</c> pauses while it searches for changes.
    /// </summary>
    private static void AllowLongBody(HttpContext context)
    {
        context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
        if (context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
    }

    /// <summary>Cancelled when the client disconnects and when the server stops.</summary>
    public CancellationTokenSource LinkToShutdown(HttpContext context) =>
        CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);

    /// <summary>The request's body; reads fail after the idle timeout and when the session ends.</summary>
    public IdleTimeoutStream OpenBody(HttpContext context, UploadSessions.Session session) =>
        new(context.Request.Body, settings.UploadIdleTimeout, session.Token);

    /// <summary>The body of a part that has a slot; reads also fail if it arrives too slowly.</summary>
    public PartBody OpenPart(HttpContext context, UploadSessions.Session session, PartSlot slot, int size)
    {
        var idle = settings.UploadIdleTimeout < Limits.PartIdle ? settings.UploadIdleTimeout : Limits.PartIdle;
        return new PartBody(context.Request.Body, slot, size, idle, time, session.Token);
    }

    /// <summary>
    /// Turns what ended a request into its answer, and records it in the catalogue: a client that is still sending may
    /// see nothing but a broken connection.
    /// </summary>
    public RequestException Refuse(
        HttpContext context,
        UploadSessions.Session session,
        UploadRecord upload,
        Exception e
    )
    {
        var refused = Explain(context, session, e);
        uploads.NoteError(upload, refused.Error);
        LogRefused(upload.UploadId, upload.ClientId, refused.Error.Code, refused.Message);
        context.Response.Headers.Connection = "close"; // the rest of the body is no longer needed
        return refused;
    }

    private RequestException Explain(HttpContext context, UploadSessions.Session session, Exception e) =>
        e switch
        {
            RequestException refused => refused,
            _ when lifetime.ApplicationStopping.IsCancellationRequested => new RequestException(
                StatusCodes.Status503ServiceUnavailable,
                "server_stopping",
                "The server is being stopped.",
                "Nothing of this request was stored. Run the backup again when the server is back.",
                e
            ),
            _ when RequestAccess.WasEndedFor(context) => RequestException.ShutOut(e),
            StorageException failed => StorageFaults.ToRequest(failed, "Nothing of this request was stored."),
            TimeoutException => new RequestException(
                StatusCodes.Status408RequestTimeout,
                "upload_idle",
                e.Message,
                "Nothing of this request was stored. Run the backup again.",
                e
            ),
            _ when session.WasReplaced => RequestException.Conflict(
                "upload_replaced",
                "Another request took this upload over."
            ),
            _ when context.RequestAborted.IsCancellationRequested
                    || e
                        is BadHttpRequestException
                            or OperationCanceledException
                            or Microsoft.AspNetCore.Connections.ConnectionResetException => new RequestException(
                StatusCodes.Status400BadRequest,
                "upload_broken_off",
                "The connection ended before the stream did.",
                "Nothing of this request was stored. Run the backup again.",
                e
            ),
            _ when CatalogueFaults.TryExplain(e, "Nothing of this request was stored.") is { } failed => failed,
            _ => new RequestException(
                StatusCodes.Status500InternalServerError,
                "internal_error",
                $"The server failed to store the stream: {e.Message}",
                "Nothing of this request was stored; the server's log says more.",
                e
            ),
        };

    [LoggerMessage(LogLevel.Warning, "Upload {UploadId} of {ClientId} ended without a commit ({Code}): {Reason}")]
    private partial void LogRefused(string uploadId, string clientId, string code, string reason);
}
