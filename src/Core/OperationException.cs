namespace ZfsSnapshotManager.Core;

/// <summary>
/// A failure that the user gets as it is: what failed, what to do about it, and the exit code for scripts.
/// </summary>
/// <param name="kind">What it is a failure of; null: what is usual for the exit code.</param>
public class OperationException(
    ExitCode exitCode,
    string message,
    string? remedy = null,
    Exception? innerException = null,
    FailureKind? kind = null
) : Exception(message, innerException)
{
    public ExitCode ExitCode { get; } = exitCode;

    /// <summary>Decides what happens next; nobody else derives that from exit code, message or type.</summary>
    public FailureKind Kind { get; } = kind ?? FailureKinds.DefaultOf(exitCode);

    /// <summary>What the user can do, as a sentence; null if nothing is known.</summary>
    public string? Remedy { get; } = remedy;
}
