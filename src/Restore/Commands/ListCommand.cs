using System.CommandLine;
using System.Globalization;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary><c>list</c></summary>
internal static class ListCommand
{
    public static Verb Create()
    {
        var verb = new Verb("list", "List the backups on the server, newest first.", "zfs-restore list", "zfs-restore list --json");
        verb.SetAction(RunAsync);
        return verb;
    }

    private static async Task RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        using var session = RestoreSession.Open(parsed);
        var list = await BackupList.FetchAsync(session.Server, cancellationToken).ConfigureAwait(false);
        session.Output.Result(list.Backups, RestoreJson.Default.IReadOnlyListSnapshotInfo, text =>
        {
            if (list.Backups.Count == 0) text.WriteLine("There are no backups yet.");
            else Table.Write(text, ["#", "Snapshot ID", "Timestamp", "Size", "Kind", "Snapshot"], [.. list.Backups.Select(Row)]);
        });
    }

    private static string[] Row(SnapshotInfo backup, int index) =>
    [
        (index + 1).ToString(CultureInfo.InvariantCulture),
        backup.SnapshotId,
        backup.Timestamp.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture),
        ByteSize.Format(backup.SizeBytes),
        backup.IsIncremental ? "incremental" : "full",
        $"{backup.DatasetName}@{backup.SnapshotName}",
    ];
}
