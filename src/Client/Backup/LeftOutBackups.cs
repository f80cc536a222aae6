using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Datasets that a property leaves out although the server has backups of them: these would end without anybody
/// noticing, as when a pool was migrated by <c>zfs send -R</c>, which sets the property on all of its datasets.
/// </summary>
internal static class LeftOutBackups
{
    /// <param name="leftOut">What was left out.</param>
    /// <param name="findLast">When the newest backup of a dataset was made; null if it has none.</param>
    /// <returns>What to warn of, and what to do; null if none has backups.</returns>
    public static (string Message, string Remedy)? Describe(
        IEnumerable<LeftOutDataset> leftOut,
        Func<string, DateTimeOffset?> findLast
    )
    {
        List<LeftOutDataset> ended = [];
        DateTimeOffset? newest = null;
        foreach (var dataset in leftOut.Where(dataset => dataset.IsByProperty))
        {
            if (findLast(dataset.Dataset) is not { } last)
                continue;
            ended.Add(dataset);
            newest = newest > last ? newest : last;
        }

        if (newest is null)
            return null;
        return (
            $"The server has backups of {SelectedDatasets.Join(ended)}, the newest of "
                + $"{Timestamps.ToMinute(newest.Value)}, but no new ones are made: {ended[0].Reason}.",
            $"To back up again: RESPECT_AUTO_SNAPSHOT=false, or zfs set {DatasetLister.AutoSnapshotProperty}=true "
                + $"{ended[0].Dataset}. If that is not wanted, name it in EXCLUDE."
        );
    }
}
