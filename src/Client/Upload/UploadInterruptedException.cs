using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>The upload was given up for now; it stays open, and another run goes on with it.</summary>
internal sealed class UploadInterruptedException(Exception cause, long streamBytes)
    : OperationException(
        (cause as OperationException)?.ExitCode ?? ExitCode.Interrupted,
        $"{(cause as OperationException)?.Message ?? "Interrupted."} {ByteSize.Format(streamBytes)} of the stream "
            + $"({streamBytes} bytes) are stored; the next run goes on from there.",
        "Run the same command again. With --no-resume it drops what is stored and starts over.",
        cause
    );
