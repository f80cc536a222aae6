using System.Net;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>An answer with the status of an error.</summary>
public sealed class ApiException(ExitCode exitCode, HttpStatusCode status, string? code, string message, string? remedy)
    : OperationException(exitCode, message, remedy)
{
    public HttpStatusCode Status { get; } = status;

    /// <summary>The error's stable code; null if the answer was not zfs-server's.</summary>
    public string? Code { get; } = code;

    /// <summary>How long the server asks to wait before the next request; null if it does not say.</summary>
    public TimeSpan? RetryAfter { get; internal set; }
}
