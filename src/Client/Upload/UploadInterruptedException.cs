using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>The upload was interrupted; it stays open, and another run resumes it.</summary>
internal sealed class UploadInterruptedException(Exception cause, long streamBytes)
    : OperationException(
        ExitCodeOf(cause),
        $"{Describe(cause)} {WhatNext(cause, streamBytes)}",
        $"{RemedyOf(cause)} {HowToGoOn(cause)}".TrimStart(),
        cause,
        FailureKinds.Of(cause)
    )
{
    /// <summary>Whether another run, of another machine or container, sends it now.</summary>
    private static bool IsTakenOver(Exception cause) => cause is ApiException { Code: "upload_replaced" };

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

    private static string WhatNext(Exception cause, long streamBytes) =>
        IsTakenOver(cause)
            ? "Another run sends it now; it and its snapshot were left to that run."
            : $"{ByteSize.Format(streamBytes)} of the stream ({streamBytes} bytes) are stored; the next run resumes "
                + "from there.";

    private static string? RemedyOf(Exception cause) =>
        cause switch
        {
            OperationException failure => failure.Remedy,
            OperationCanceledException => null,
            _ => "This is a bug of the program: report it with the text above.",
        };

    private static string HowToGoOn(Exception cause) =>
        IsTakenOver(cause)
            ? "Let one machine or container back up a dataset; one that must not is to be stopped there."
            : "Run the same command again to resume. With --no-resume it discards what is stored and starts over.";
}
