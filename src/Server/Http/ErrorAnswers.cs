using System.Text.Json;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Files;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Http;

/// <summary>Turns failed requests into answers, and only here.</summary>
internal static partial class ErrorAnswers
{
    public static void UseErrorAnswers(this WebApplication app) =>
        app.Use(
            async (context, next) =>
            {
                try
                {
                    await next(context);
                    if (
                        context.Response is
                        { HasStarted: false, ContentLength: null or 0, StatusCode: >= 400 and var status }
                    )
                        await WriteAsync(context, NoEndpoint(status));
                }
                catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
                {
                    // The client has disconnected: there is nothing to answer.
                }
                catch (Exception e) when (e is TimeoutException or RequestException && context.Response.HasStarted)
                {
                    LogCutOff(app.Logger, context.Request.Method, context.Request.Path, e.Message);
                    context.Abort(); // a response that ends early must not look complete
                }
                catch (Exception e) when (!context.Response.HasStarted && e is not OutOfMemoryException)
                {
                    var refused = Explain(e);
                    if (refused.Status >= StatusCodes.Status500InternalServerError && e is not RequestException)
                        LogFailure(app.Logger, e, context.Request.Method, context.Request.Path);
                    await WriteAsync(context, refused);
                }
            }
        );

    private static RequestException Explain(Exception e) =>
        e switch
        {
            RequestException refused => refused,
            BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => new(
                StatusCodes.Status413PayloadTooLarge,
                "too_large",
                "The request's body is larger than 64 KiB.",
                innerException: e
            ),
            BadHttpRequestException bad => new(bad.StatusCode, "bad_request", bad.Message, innerException: e),
            StorageException failed => StorageFaults.ToRequest(failed, "Nothing was changed."),
            JsonException json => RequestException.BadRequest(
                $"The body is not the expected JSON: {JsonFault.Describe(json)}."
            ),
            _ when CatalogueFaults.TryExplain(e, "Nothing was changed.") is { } failed => failed,
            _ => new(
                StatusCodes.Status500InternalServerError,
                "internal_error",
                "The server failed to answer; its log says why.",
                "Nothing that was acknowledged is lost. Try again; if it fails again, see the server's log.",
                e
            ),
        };

    /// <summary>Error responses that the framework sends without a body.</summary>
    private static RequestException NoEndpoint(int status) =>
        status == StatusCodes.Status404NotFound
            ? RequestException.NotFound("This endpoint does not exist.")
            : new RequestException(status, "bad_request", $"The request was refused with status {status}.");

    private static Task WriteAsync(HttpContext context, RequestException refused)
    {
        context.Response.StatusCode = refused.Status;
        context.Response.ContentLength = null;
        context.Response.Headers.ContentDisposition = default; // it was set for the requested file
        if (refused.RetryAfter is { } wait)
            context.Response.Headers.RetryAfter = $"{Math.Ceiling(wait.TotalSeconds):0}";
        context.Response.ContentType = "application/json; charset=utf-8";
        return context.Response.WriteAsJsonAsync(
            refused.Error,
            ApiJson.Default.ApiError,
            context.Response.ContentType,
            cancellationToken: context.RequestAborted
        );
    }

    [LoggerMessage(LogLevel.Warning, "{Method} {Path} was cut off: {Reason}")]
    private static partial void LogCutOff(ILogger logger, string method, string path, string reason);

    [LoggerMessage(LogLevel.Error, "{Method} {Path} failed")]
    private static partial void LogFailure(ILogger logger, Exception e, string method, string path);
}
