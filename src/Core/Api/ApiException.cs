using System.Net;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>An answer with the status of an error.</summary>
public sealed class ApiException(
    ExitCode exitCode,
    HttpStatusCode status,
    string? code,
    string message,
    string? remedy,
    FailureKind? kind = null
) : OperationException(exitCode, message, remedy, kind: kind ?? KindOf(status, code))
{
    public HttpStatusCode Status { get; } = status;

    /// <summary>The error's stable code; null if the answer was not zfs-server's.</summary>
    public string? Code { get; } = code;

    /// <summary>How long the server asks to wait before the next request; null if it does not say.</summary>
    public TimeSpan? RetryAfter { get; internal set; }

    /// <summary>Converts an error of the server to an exception with its exit code.</summary>
    public static ApiException Of(HttpStatusCode status, ApiError error)
    {
        var exitCode = status switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => ExitCode.AccessDenied,
            HttpStatusCode.NotFound => ExitCode.NotFound,
            HttpStatusCode.RequestTimeout => ExitCode.Unreachable,
            HttpStatusCode.Conflict => ExitCode.Conflict,
            HttpStatusCode.UnprocessableEntity => ExitCode.Damaged,
            HttpStatusCode.InsufficientStorage => ExitCode.NoSpace,
            >= HttpStatusCode.InternalServerError => ExitCode.ServerFailed,
            _ => ExitCode.Failure,
        };
        if (error.Code is "too_many_failures")
            exitCode = ExitCode.AccessDenied;
        if (error.Code is "object_missing" or "object_damaged")
            exitCode = ExitCode.Damaged;
        return new ApiException(exitCode, status, error.Code, $"The server refused: {error.Message}", error.Remedy);
    }

    /// <summary>The error codes are those of docs/http-api.md; a proxy answers without one.</summary>
    private static FailureKind KindOf(HttpStatusCode status, string? code) =>
        code switch
        {
            "part_damaged" => FailureKind.Transient, // it was valid when it was sent
            "upload_broken_off" => FailureKind.Transient,
            "too_many_uploads" or "storage_refused" => FailureKind.Server,
            "receive_failed" => FailureKind.Dataset, // ZFS would refuse it again
            "object_missing" or "object_damaged" => FailureKind.Stream,
            "internal_error" => FailureKind.Transient,
            null when KindOf(status) == FailureKind.Dataset => FailureKind.Server, // not an answer of zfs-server
            _ => KindOf(status),
        };

    private static FailureKind KindOf(HttpStatusCode status) =>
        status switch
        {
            // A server or proxy that is busy, starting, stopping, or does not reach what it needs.
            HttpStatusCode.RequestTimeout
            or HttpStatusCode.TooManyRequests
            or HttpStatusCode.InternalServerError
            or HttpStatusCode.BadGateway
            or HttpStatusCode.ServiceUnavailable
            or HttpStatusCode.GatewayTimeout => FailureKind.Transient,
            HttpStatusCode.InsufficientStorage => FailureKind.Dataset, // a smaller backup may still fit
            > HttpStatusCode.InternalServerError => FailureKind.Server,
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => FailureKind.User,
            HttpStatusCode.UnprocessableEntity => FailureKind.Stream,
            >= HttpStatusCode.BadRequest => FailureKind.Dataset,
            _ => FailureKind.Server, // a redirection
        };
}
