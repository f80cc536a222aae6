namespace ZfsSnapshotManager.Core;

/// <summary>
/// A failure that is told to the user as it is: what failed, what to do about it, and the exit code that scripts see.
/// </summary>
public class OperationException(
    ExitCode exitCode,
    string message,
    string? remedy = null,
    Exception? innerException = null
) : Exception(message, innerException)
{
    public ExitCode ExitCode { get; } = exitCode;

    /// <summary>What the user can do, as a sentence; null where nothing is known.</summary>
    public string? Remedy { get; } = remedy;
}
