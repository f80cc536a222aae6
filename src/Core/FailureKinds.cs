using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Core;

/// <summary>The kinds of failures that do not name one themselves.</summary>
public static class FailureKinds
{
    /// <summary>The kind of any exception.</summary>
    public static FailureKind Of(Exception e) =>
        e switch
        {
            OperationException failure => failure.Kind,
            SendStreamException or StreamCombinationException => FailureKind.Stream,
            OperationCanceledException => FailureKind.User,
            _ => FailureKind.Bug,
        };

    /// <summary>The kind that failures with this exit code have unless the place that throws them says more.</summary>
    internal static FailureKind DefaultOf(ExitCode exitCode) =>
        exitCode switch
        {
            ExitCode.Unreachable => FailureKind.Transient,
            ExitCode.Damaged => FailureKind.Stream,
            ExitCode.ServerFailed => FailureKind.Server,
            ExitCode.Usage or ExitCode.Configuration or ExitCode.AccessDenied or ExitCode.Interrupted =>
                FailureKind.User,
            _ => FailureKind.Dataset,
        };
}
