using System.Text.Json;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Server.Http;

/// <summary>The one place where a failed request becomes an answer.</summary>
internal static partial class ErrorAnswers
{
    public static void UseErrorAnswers(this WebApplication app)
    {
        app.Use(async (context, next) =>
        {
            try
            {
                await next(context).ConfigureAwait(false);
                if (context.Response is { HasStarted: false, StatusCode: >= 400 } && context.Response.ContentLength is null)
                {
                    await WriteAsync(context, context.Response.StatusCode, NoSuchThing(context.Response.StatusCode)).ConfigureAwait(false);
                }
            }
            catch (RequestException e)
            {
                await WriteAsync(context, e.Status, e.Error).ConfigureAwait(false);
            }
            catch (BadHttpRequestException e)
            {
                await WriteAsync(context, e.StatusCode, new ApiError { Success = false, Status = e.StatusCode, Code = e.StatusCode == StatusCodes.Status413PayloadTooLarge ? "too_large" : "bad_request", Message = e.Message }).ConfigureAwait(false);
            }
            catch (JsonException e)
            {
                await WriteAsync(context, StatusCodes.Status400BadRequest, RequestException.BadRequest($"The body is not the JSON that is expected: {JsonFault.Describe(e)}.").Error).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
            {
                // The client has gone: there is nobody to answer.
            }
            catch (Exception e) when (!context.Response.HasStarted && e is not OutOfMemoryException)
            {
                LogFailure(app.Logger, e, context.Request.Method, context.Request.Path);
                await WriteAsync(context, StatusCodes.Status500InternalServerError, Failed).ConfigureAwait(false);
            }
        });
    }

    public static Task WriteAsync(HttpContext context, int status, ApiError error)
    {
        if (context.Response.HasStarted) return Task.CompletedTask;
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(error, ApiJson.Default.ApiError, cancellationToken: context.RequestAborted);
    }

    private static ApiError Failed { get; } = new()
    {
        Success = false,
        Status = StatusCodes.Status500InternalServerError,
        Code = "internal_error",
        Message = "The server failed to answer; its log says why.",
        Remedy = "Nothing that was acknowledged is lost. Try again; if it stays so, look at the server's log.",
    };

    private static ApiError NoSuchThing(int status) => new()
    {
        Success = false,
        Status = status,
        Code = status == StatusCodes.Status404NotFound ? "not_found" : "bad_request",
        Message = status == StatusCodes.Status404NotFound ? "There is no such endpoint." : $"The request is refused with status {status}.",
    };

    [LoggerMessage(LogLevel.Error, "{Method} {Path} failed")]
    private static partial void LogFailure(ILogger logger, Exception e, string method, string path);
}
