using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// What ends a restore and is no fault of the backup or the dataset: the next run goes on, so what was received stays.
/// </summary>
internal static class Interruption
{
    public static bool IsOne(Exception e) =>
        e switch
        {
            OperationCanceledException => true,
            ZfsException zfs => zfs.WasCutOff,
            OperationException failure => failure.ExitCode
                is ExitCode.Unreachable
                    or ExitCode.ServerFailed
                    or ExitCode.AccessDenied,
            _ => false,
        };

    /// <summary>What stays, as a sentence; null where nothing is there with which the next run could go on.</summary>
    public static async Task<string?> DescribeKeptAsync(RestoreTarget target)
    {
        try
        {
            return
                await target.FindPartialAsync(CancellationToken.None) is { } there
                && (there.Token is not null || there.Snapshots.Count > 0)
                ? $"What was received stays in {target.Partial}: the same command goes on from there. To drop it, "
                    + $"give --restart, or 'zfs destroy -r {target.Partial}'."
                : null;
        }
        catch (OperationException)
        {
            return null; // the clean-up says what is wrong
        }
    }

    /// <summary>The failure, with the way on.</summary>
    public static OperationException Explain(Exception e, string kept) =>
        e is OperationException failure
            ? new OperationException(
                failure.ExitCode,
                failure.Message,
                IsOne(e) ? kept : $"{failure.Remedy} {kept}".TrimStart(),
                failure
            )
            : new OperationException(ExitCode.Interrupted, "Interrupted.", kept, e);
}
