using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary>Says on standard error which datasets of several failed.</summary>
internal static class DatasetFailures
{
    public static void Write(IEnumerable<DatasetFailure> failures)
    {
        foreach (var failure in failures)
            Output.Warn($"{failure.Dataset} is not backed up: {failure.Message} {failure.Remedy}");
    }
}
