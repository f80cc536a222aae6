using ZfsSnapshotManager.Client.Rotation;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary>Says what was done on this machine although the server could not be asked.</summary>
internal static class RotationWithoutServer
{
    private const string Remedy =
        "When the server is reachable again, 'zfs-client rotate' or the next run does the rest. Without it, snapshots "
        + "that were never sent are rotated only if KEEP_HOURLY, KEEP_DAILY, KEEP_WEEKLY or KEEP_MONTHLY is set.";

    /// <param name="failure">Why the server could not be asked.</param>
    /// <param name="rotations">What was rotated all the same.</param>
    /// <param name="created">The snapshots that were created before; null if that was not the task.</param>
    public static OperationException Explain(
        OperationException failure,
        IReadOnlyCollection<LocalRotationResult> rotations,
        IReadOnlyList<string>? created
    )
    {
        var destroyed = rotations.Sum(rotation => rotation.DestroyedCount);
        var rotated =
            destroyed > 0
                ? $"only {destroyed} snapshots were rotated, by this client's policy, which were never sent"
                : "nothing was rotated";
        var what = created is null
            ? $"{char.ToUpperInvariant(rotated[0])}{rotated[1..]}"
            : $"{Created(created)}, but {rotated}";
        return new OperationException(
            failure.ExitCode,
            $"{what}: {failure.Message}",
            $"{failure.Remedy} {Remedy}".TrimStart(),
            failure,
            failure.Kind
        );
    }

    public static OperationException ExplainNotSent(OperationException failure, IReadOnlyList<string> created) =>
        new(
            failure.ExitCode,
            $"{Created(created)}, but the backup did not end: {failure.Message}",
            failure.Remedy,
            failure,
            failure.Kind
        );

    /// <summary>The failure in a report that has the results too.</summary>
    /// <param name="failure">Null if the server was asked.</param>
    public static IEnumerable<CommandFailure> FailuresOf(OperationException? failure)
    {
        if (failure is not null)
            yield return new CommandFailure
            {
                Message = failure.Message,
                Code = CommandFailure.CodeOf(failure, failure.ExitCode),
                Remedy = failure.Remedy,
            };
    }

    /// <summary>What was done before the run was told to stop while it rotated.</summary>
    /// <param name="sent">How many of the snapshots were backed up.</param>
    public static string DescribeStopped(IReadOnlyList<string> created, int sent)
    {
        var backedUp = sent == 0 ? "" : $", and {sent} backed up";
        return $"{Created(created)}{backedUp}; the snapshots that they replace stay for the next run.";
    }

    private static string Created(IReadOnlyList<string> snapshots) =>
        snapshots is [var one] ? $"{one} was created" : $"{snapshots.Count} snapshots were created";
}
