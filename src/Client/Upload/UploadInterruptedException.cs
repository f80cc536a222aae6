using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>The upload was interrupted; it stays open, and another run resumes it.</summary>
internal sealed class UploadInterruptedException(Exception cause, long streamBytes)
    : OperationException(
        (cause as OperationException)?.ExitCode ?? ExitCode.Interrupted,
        $"{(cause as OperationException)?.Message ?? "Interrupted."} {ByteSize.Format(streamBytes)} of the stream "
            + $"({streamBytes} bytes) are stored; the next run resumes from there.",
        "Run the same command again to resume. With --no-resume it discards what is stored and starts over.",
        cause,
        FailureKinds.Of(cause)
    );
