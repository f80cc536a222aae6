using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Failures that are no fault of the backup or the dataset, such as Ctrl-C or a server that cannot be reached: the next
/// run can resume, so what was received is kept.
/// </summary>
internal static class Interruption
{
    public static bool IsInterruption(Exception e) =>
        e switch
        {
            OperationCanceledException => true,
            ZfsException { End: ZfsEnd.Killed or ZfsEnd.Crashed } => true,
            OperationException failure => failure.Kind
                is FailureKind.Transient
                    or FailureKind.Server
                    or FailureKind.User,
            _ => false,
        };

    /// <returns>What is kept for the next run, as a sentence; null if there is nothing to resume.</returns>
    public static async Task<string?> DescribeKeptAsync(RestoreTarget target)
    {
        PartialDataset? partial;
        try
        {
            partial = await target.FindPartialAsync(CancellationToken.None);
        }
        catch (OperationException)
        {
            return null; // the clean-up reports what is wrong
        }

        if (partial is null || (partial.Token is null && partial.Snapshots.Count == 0))
            return null;
        return $"What was received is kept in {target.Partial}: run the same command again to resume. To discard it, "
            + $"add --restart, or run 'zfs destroy -r {target.Partial}'.";
    }

    /// <summary>Adds to a failure how to resume.</summary>
    public static OperationException Explain(Exception e, string kept)
    {
        if (e is not OperationException failure)
            return new OperationException(ExitCode.Interrupted, "Interrupted.", kept, e);
        var remedy = IsInterruption(e) ? kept : $"{failure.Remedy} {kept}".TrimStart();
        return new OperationException(failure.ExitCode, failure.Message, remedy, failure, failure.Kind);
    }
}
