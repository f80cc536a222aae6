using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// What an earlier run has received of descendants that the restored tree is finished without (<c>--exclude</c>): it is
/// kept below the tree, and nobody may take it for a complete dataset.
/// </summary>
/// <param name="session">Where <c>zfs</c> runs.</param>
/// <param name="root">The backup of the tree's root.</param>
/// <param name="list">All backups.</param>
internal sealed class UnfinishedMembers(RestoreSession session, SnapshotInfo root, BackupList list)
{
    /// <param name="dataset">The finished tree.</param>
    public async Task WarnAsync(DatasetName dataset, CancellationToken cancellationToken)
    {
        var rows = await session.Settings.Zfs.RunTableAsync(
            [
                "get",
                "-H",
                "-r",
                "-s",
                "local",
                "-t",
                "filesystem,volume",
                "-o",
                "name",
                RestoreMarks.Mark,
                dataset.Value,
            ],
            cancellationToken
        );
        foreach (var name in rows.Select(row => row[0]).Where(name => name != dataset.Value))
        {
            var finish = FindFinish(name, dataset) is { } command ? $"To finish it: {command}. " : "";
            session.Output.Warn(
                $"{name} is not complete: it holds what was received of a dataset that was left out. {finish}To "
                    + $"discard it: zfs destroy -r '{name}'"
            );
        }
    }

    /// <returns>The command that finishes it; null if its backup is not known.</returns>
    private string? FindFinish(string name, DatasetName dataset)
    {
        foreach (var child in TreePlan.Make(root, list.Backups).Children)
        {
            var final = DatasetName.Parse(dataset.Value + child.DatasetName[root.DatasetName.Length..]);
            if (TargetNames.PartialOf(final).Value == name)
                return $"zfs-restore restore {child.SnapshotId} {final}";
        }

        return null;
    }
}
