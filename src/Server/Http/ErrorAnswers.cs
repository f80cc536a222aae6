using System.Text.Json;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Files;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Http;

/// <summary>The one place where a failed request becomes an answer.</summary>
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
                    // The client has gone: there is nobody to answer.
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
                "The request's body has more than 64 KiB.",
                innerException: e
            ),
            BadHttpRequestException bad => new(bad.StatusCode, "bad_request", bad.Message, innerException: e),
            StorageException failed => StorageFaults.ToRequest(failed, "Nothing was changed."),
            JsonException json => RequestException.BadRequest(
                $"The body is not the JSON that is expected: {JsonFault.Describe(json)}."
            ),
            _ => new(
                StatusCodes.Status500InternalServerError,
                "internal_error",
                "The server failed to answer; its log says why.",
                "Nothing that was acknowledged is lost. Try again; if it stays so, look at the server's log.",
                e
            ),
        };

    /// <summary>What the framework answers by itself, without words.</summary>
    private static RequestException NoEndpoint(int status) =>
        status == StatusCodes.Status404NotFound
            ? RequestException.NotFound("There is no such endpoint.")
            : new RequestException(status, "bad_request", $"The request is refused with status {status}.");

    private static Task WriteAsync(HttpContext context, RequestException refused)
    {
        context.Response.StatusCode = refused.Status;
        context.Response.ContentLength = null;
        context.Response.Headers.ContentDisposition = default; // of the file that was asked for, like its type
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

    [LoggerMessage(LogLevel.Error, "{Method} {Path} failed")]
    private static partial void LogFailure(ILogger logger, Exception e, string method, string path);
}
