using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Server.Http;

/// <summary>A refused request: its status, its stable code, the message and what the client can do.</summary>
internal sealed class RequestException(
    int status,
    string code,
    string message,
    string? remedy = null,
    Exception? innerException = null
) : Exception(message, innerException)
{
    public int Status { get; } = status;

    /// <summary>When the client may try again; null if unknown.</summary>
    public TimeSpan? RetryAfter { get; private init; }

    public ApiError Error { get; } =
        new()
        {
            Success = false,
            Status = status,
            Code = code,
            Message = message,
            Remedy = remedy,
        };

    public static RequestException BadRequest(string message, string? remedy = null) =>
        new(StatusCodes.Status400BadRequest, "bad_request", message, remedy);

    public static RequestException Unauthorized() =>
        new(
            StatusCodes.Status401Unauthorized,
            "unauthorized",
            "The client's name or key is wrong, or the client is disabled.",
            "Check CLIENT_ID and API_KEY; on the server, 'zfs-server client list' shows the clients."
        );

    /// <summary>The client lost its access while its request ran.</summary>
    public static RequestException ShutOut(Exception? inner = null) =>
        new(
            StatusCodes.Status401Unauthorized,
            "unauthorized",
            "The client was disabled or removed, or its key was replaced, while the request ran.",
            "Nothing of this request was stored. On the server, 'zfs-server client list' shows the clients.",
            inner
        );

    public static RequestException TooManyFailures(TimeSpan wait) =>
        new(
            StatusCodes.Status429TooManyRequests,
            "too_many_failures",
            "Too many requests with a wrong name or key came from here; the next one is accepted in "
                + $"{Math.Ceiling(wait.TotalSeconds):0} s.",
            "Check CLIENT_ID and API_KEY, also of other programs on this machine or behind the same proxy."
        )
        {
            RetryAfter = wait,
        };

    /// <summary>The server has no slot for the request; the client may try again at once.</summary>
    public static RequestException Busy(string message, string remedy) =>
        new(StatusCodes.Status503ServiceUnavailable, "server_busy", message, remedy)
        {
            RetryAfter = TimeSpan.FromSeconds(1),
        };

    public static RequestException NotFound(string message) => new(StatusCodes.Status404NotFound, "not_found", message);

    public static RequestException Conflict(string code, string message, string? remedy = null) =>
        new(StatusCodes.Status409Conflict, code, message, remedy);

    /// <summary>The stream or its compression is incomplete or invalid.</summary>
    public static RequestException Damaged(string code, string message, Exception? inner = null) =>
        new(
            StatusCodes.Status422UnprocessableEntity,
            code,
            message,
            "Nothing was stored. Send the snapshot again.",
            inner
        );
}
