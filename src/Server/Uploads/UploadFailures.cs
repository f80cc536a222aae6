using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// What requests with long bodies have in common: no limits but the idle one, and words for every way in which they
/// end.
/// </summary>
internal static class UploadFailures
{
    /// <summary>Streams have no size limit and may pause: <c>zfs send</c> does, while it looks for changes.</summary>
    public static void AllowLongBody(HttpContext context)
    {
        context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
        if (context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
    }

    /// <param name="e">What ended it.</param>
    /// <param name="session">The request's session.</param>
    /// <param name="aborted">The request's own end.</param>
    /// <param name="stopping">The server's end.</param>
    public static RequestException Explain(
        Exception e,
        UploadSessions.Session session,
        CancellationToken aborted,
        CancellationToken stopping
    ) =>
        e switch
        {
            RequestException refused => refused,
            _ when stopping.IsCancellationRequested => new RequestException(
                StatusCodes.Status503ServiceUnavailable,
                "server_stopping",
                "The server is being stopped.",
                "Nothing was stored. Run the backup again when the server is back.",
                e
            ),
            StorageException failed => StorageFaults.ToRequest(failed, "Nothing was stored."),
            TimeoutException => new RequestException(
                StatusCodes.Status408RequestTimeout,
                "upload_idle",
                e.Message,
                "Nothing was stored. Run the backup again.",
                e
            ),
            _ when session.WasReplaced => RequestException.Conflict(
                "upload_replaced",
                "Another request took this upload over."
            ),
            _ when aborted.IsCancellationRequested
                    || e
                        is BadHttpRequestException
                            or OperationCanceledException
                            or Microsoft.AspNetCore.Connections.ConnectionResetException => new RequestException(
                StatusCodes.Status400BadRequest,
                "upload_broken_off",
                "The connection ended before the stream did.",
                "Nothing was stored. Run the backup again.",
                e
            ),
            _ => new RequestException(
                StatusCodes.Status500InternalServerError,
                "internal_error",
                $"The server failed to store the stream: {e.Message}",
                "Nothing was stored; the server's log says more.",
                e
            ),
        };
}
