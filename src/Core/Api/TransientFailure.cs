using System.Net;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>
/// Which failures of a request are transient: the same request may succeed later without a change on either side.
/// </summary>
public static class TransientFailure
{
    /// <summary>Whether a failed request of an upload may succeed later.</summary>
    public static bool OfUpload(Exception e) =>
        e switch
        {
            ApiException { Code: "part_damaged" } => true, // it was valid when it was sent
            ApiException { Code: "too_many_uploads" } => false,
            ApiException { Code: "receive_failed" } => false, // ZFS would refuse it again
            ApiException { Status: HttpStatusCode.InternalServerError } => true,
            ApiException answer => IsOfTheConnection(answer.Status),
            OperationException failure => failure.ExitCode == ExitCode.Unreachable,
            _ => false,
        };

    /// <summary>
    /// Whether a failed request for stored bytes may succeed later. What the server says of damage and of the settings
    /// of its store does not change by itself.
    /// </summary>
    public static bool OfDownload(Exception e) =>
        e switch
        {
            OperationException { ExitCode: ExitCode.Damaged } => false,
            ApiException { Status: HttpStatusCode.InternalServerError } answer => answer.Code
                is null
                    or "internal_error",
            ApiException answer => IsOfTheConnection(answer.Status),
            OperationException failure => failure.ExitCode == ExitCode.Unreachable,
            _ => false,
        };

    /// <summary>
    /// Answers of a server or proxy that is busy, starting, stopping, or does not reach what it needs.
    /// </summary>
    private static bool IsOfTheConnection(HttpStatusCode status) =>
        status
            is HttpStatusCode.RequestTimeout
                or HttpStatusCode.TooManyRequests
                or HttpStatusCode.BadGateway
                or HttpStatusCode.ServiceUnavailable
                or HttpStatusCode.GatewayTimeout;
}
