using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Client.Configuration;

/// <summary>Why a command did not do its work on one of several datasets.</summary>
internal sealed record DatasetFailure
{
    public required string Dataset { get; init; }

    public required string Message { get; init; }

    public string? Remedy { get; init; }

    public ExitCode ExitCode { get; init; }

    /// <summary>The failure itself, for a command that has only this dataset.</summary>
    public Exception Cause { get; private init; } = null!;

    /// <summary>As it is printed with <c>--json</c>.</summary>
    public CommandFailure Json =>
        new()
        {
            Dataset = Dataset,
            Message = Message,
            Code = CommandFailure.CodeOf(Cause, ExitCode),
            Remedy = Remedy,
        };

    public static DatasetFailure Of(string dataset, Exception e) =>
        FailureKinds.Of(e) == FailureKind.Bug
            ? new()
            {
                Dataset = dataset,
                Message = $"Unexpected failure: {e}",
                Remedy = "This is a bug of the program: report it with the text above.",
                ExitCode = ExitCode.Failure,
                Cause = e,
            }
            : new()
            {
                Dataset = dataset,
                Message = e.Message,
                Remedy = (e as OperationException)?.Remedy,
                ExitCode = (e as OperationException)?.ExitCode ?? ExitCode.Damaged,
                Cause = e,
            };
}
