namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>Standard output does not accept what is written to it.</summary>
public sealed class OutputException(ExitCode exitCode, string message, string? remedy, Exception? inner = null)
    : OperationException(exitCode, message, remedy, inner)
{
    private const int BrokenPipe = 32; // EPIPE
    private const int NoSpace = 28; // ENOSPC
    private const int NoQuota = 122; // EDQUOT

    /// <param name="error">The errno of write(2).</param>
    /// <param name="description">What the system says about it.</param>
    internal static OutputException OfStandardOutput(int error, string description) =>
        error switch
        {
            BrokenPipe => new(
                ExitCode.Failure,
                "Standard output cannot be written: its reader ended before it had everything (broken pipe).",
                "See what the command behind the pipe says."
            ),
            NoSpace or NoQuota => new(
                ExitCode.NoSpace,
                $"Standard output cannot be written: {description}.",
                "Make room where it is written to, and run the command again."
            ),
            _ => new(ExitCode.Failure, $"Standard output cannot be written: {description}.", null),
        };

    /// <summary>The same for a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="e">What the file system says.</param>
    public static OperationException OfFile(string path, Exception e) =>
        new(
            e is IOException && e.HResult is NoSpace or NoQuota ? ExitCode.NoSpace : ExitCode.Failure,
            $"{path} cannot be written: {e.Message}",
            "Check the directory, its permissions and its free space.",
            e
        );
}
