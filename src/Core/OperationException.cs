namespace ZfsSnapshotManager.Core;

/// <summary>
/// A failure that the user gets as it is: what failed, what to do about it, and the exit code for scripts.
/// </summary>
public class OperationException(
    ExitCode exitCode,
    string message,
    string? remedy = null,
    Exception? innerException = null
) : Exception(message, innerException)
{
    public ExitCode ExitCode { get; } = exitCode;

    /// <summary>What the user can do, as a sentence; null if nothing is known.</summary>
    public string? Remedy { get; } = remedy;
}
