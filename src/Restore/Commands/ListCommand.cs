using System.CommandLine;
using System.Globalization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary><c>list</c></summary>
internal static class ListCommand
{
    public static CommandWithExamples Create()
    {
        var tree = new Option<bool>("--tree")
        {
            Description = "Show the chains: each full backup and the incrementals based on it.",
        };
        var verb = new CommandWithExamples(
            "list",
            "List the backups on the server, newest first.",
            "zfs-restore list",
            "zfs-restore list --tree",
            "zfs-restore list --json"
        )
        {
            tree,
        };
        verb.SetAction((parsed, cancellationToken) => RunAsync(parsed, parsed.GetValue(tree), cancellationToken));
        return verb;
    }

    private static async Task RunAsync(ParseResult parsed, bool tree, CancellationToken cancellationToken)
    {
        using var session = RestoreSession.Open(parsed);
        var list = await BackupList.FetchAsync(session.Server, cancellationToken);
        session.Output.Result(list.Backups, RestoreJson.Default.IReadOnlyListSnapshotInfo, text =>
        {
            if (list.Backups.Count == 0)
                text.WriteLine("No backups exist yet.");
            else if (tree)
                ChainTree.Write(text, list.Backups);
            else
                Table.Write(
                    text,
                    ["#", "Snapshot ID", "Timestamp", "Size", "Kind", "Snapshot"],
                    [.. list.Backups.Select(Row)]
                );
        });
    }

    private static string[] Row(SnapshotInfo backup, int index) =>
        [
            (index + 1).ToString(CultureInfo.InvariantCulture),
            backup.SnapshotId,
            Timestamps.ToMinuteInList(backup.Timestamp),
            ByteSize.Format(backup.SizeBytes),
            backup.IsIncremental ? "incremental" : "full",
            $"{backup.DatasetName}@{backup.SnapshotName}",
        ];
}
