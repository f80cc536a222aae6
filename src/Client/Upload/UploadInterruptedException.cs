using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>The upload was interrupted; it stays open, and another run resumes it.</summary>
internal sealed class UploadInterruptedException(Exception cause, long streamBytes)
    : OperationException(
        ExitCodeOf(cause),
        $"{Describe(cause)} {ByteSize.Format(streamBytes)} of the stream ({streamBytes} bytes) are stored; the next "
            + "run resumes from there.",
        (
            $"{RemedyOf(cause)} Run the same command again to resume. With --no-resume it discards what is stored and "
            + "starts over."
        ).TrimStart(),
        cause,
        FailureKinds.Of(cause)
    )
{
    private static ExitCode ExitCodeOf(Exception cause) =>
        cause switch
        {
            OperationException failure => failure.ExitCode,
            OperationCanceledException => ExitCode.Interrupted,
            _ => ExitCode.Failure,
        };

    private static string Describe(Exception cause) =>
        cause switch
        {
            OperationException failure => failure.Message.EndsWith('.') ? failure.Message : $"{failure.Message}.",
            OperationCanceledException => "Interrupted.",
            _ => $"Unexpected failure: {cause}\n",
        };

    private static string? RemedyOf(Exception cause) =>
        cause switch
        {
            OperationException failure => failure.Remedy,
            OperationCanceledException => null,
            _ => "This is a bug of the program: report it with the text above.",
        };
}
