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
    /// <summary>More wrong times than these are only marked.</summary>
    private const int MaxFaults = 10;

    public static CommandWithExamples Create()
    {
        var tree = new Option<bool>("--tree")
        {
            Description = "Show the chains: each full backup and the incrementals based on it.",
        };
        var verb = new CommandWithExamples(
            "list",
            "List the backups on the server, the one that arrived last first.",
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
        var list = await BackupList.FetchNowAsync(session.Server, cancellationToken);
        session.Output.Results(list.Backups, RestoreJson.Default.SnapshotInfo, text =>
        {
            if (list.Backups.Count == 0)
                text.WriteLine("No backups exist yet.");
            else if (tree)
                ChainTree.Write(text, list.Backups);
            else
                WriteTable(text, list);
        });
    }

    private static void WriteTable(TextWriter text, BackupList list)
    {
        var faults = list
            .Backups.Select(backup => (Backup: backup, Fault: list.FindClockFault(backup)))
            .Where(found => found.Fault is not null)
            .ToList();
        var odd = faults.Select(found => found.Backup.SnapshotId).ToHashSet(StringComparer.Ordinal);
        Table.Write(
            text,
            ["#", "Snapshot ID", "Timestamp", "Size", "Kind", "Snapshot"],
            list.Backups.Select((backup, index) => Row(backup, index, odd.Contains(backup.SnapshotId)))
        );
        if (faults.Count == 0)
            return;
        text.WriteLine();
        text.WriteLine("! A clock was wrong. The order is that of arrival, and an incremental is newer than its base:");
        foreach (var (backup, fault) in faults.Take(MaxFaults))
            text.WriteLine($"  {list.NumberOf(backup)}: {fault}");
        if (faults.Count > MaxFaults)
            text.WriteLine($"  … and {faults.Count - MaxFaults} more");
    }

    private static string[] Row(SnapshotInfo backup, int index, bool isOdd) =>
        [
            (index + 1).ToString(CultureInfo.InvariantCulture),
            backup.SnapshotId,
            Timestamps.ToMinuteInList(backup.Timestamp) + (isOdd ? " !" : ""),
            ByteSize.Format(backup.SizeBytes),
            backup.IsIncremental ? "incremental" : "full",
            BackupName.OfSnapshot(backup),
        ];
}
