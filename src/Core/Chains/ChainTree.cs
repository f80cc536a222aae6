using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Chains;

/// <summary>
/// Writes backups as trees: each full backup with the incrementals on it. A chain stays in one column; only a fork is
/// indented.
/// </summary>
public static class ChainTree
{
    public static void Write(TextWriter text, IReadOnlyCollection<SnapshotInfo> backups)
    {
        var chains = new BackupChains(backups);
        var dependents = backups
            .Where(backup => chains.BaseOf(backup) is not null)
            .OrderBy(backup => backup.ReceivedAt)
            .ToLookup(backup => chains.BaseOf(backup)!.SnapshotId, StringComparer.Ordinal);
        foreach (
            var dataset in backups
                .Where(backup => chains.BaseOf(backup) is null)
                .GroupBy(backup => backup.DatasetName, StringComparer.Ordinal)
                .OrderBy(dataset => dataset.Key, StringComparer.Ordinal)
        )
        {
            text.WriteLine(dataset.Key);
            foreach (var root in dataset.OrderBy(backup => backup.ReceivedAt))
                WriteChain(text, root, dependents);
        }
    }

    private static void WriteChain(TextWriter text, SnapshotInfo root, ILookup<string, SnapshotInfo> dependents)
    {
        var members = Members(root, dependents);
        var size = ByteSize.Format(members.Sum(member => member.Backup.SizeBytes));
        var fault = root.IsIncremental ? ", broken: its base is missing" : "";
        text.WriteLine($"  chain of {members.Count}, {size}{fault}");
        foreach (var (backup, depth) in members)
        {
            var indent = new string(' ', 2 * depth);
            var sign = backup.IsIncremental ? "+" : "*";
            text.WriteLine(
                $"  {indent}{sign} {Timestamps.ToMinuteInList(backup.Timestamp)}  {backup.SnapshotId}  "
                    + $"{backup.SnapshotType.ToText()}, {ByteSize.Format(backup.SizeBytes)}{StateOf(backup)}"
            );
        }
    }

    private static string StateOf(SnapshotInfo backup)
    {
        var clock = BackupOrder.IsAhead(backup)
            ? $", wrong clock: it arrived at {Timestamps.ToMinute(backup.ReceivedAt)}"
            : "";
        if (backup.Pinned)
            return ", pinned" + clock;
        return (backup.ExpiresAt is { } expires ? $", expires {Timestamps.ToMinute(expires)}" : "") + clock;
    }

    /// <summary>
    /// A backup and all that are built on it, each after its base. Not recursive: chains may be long.
    /// </summary>
    private static List<(SnapshotInfo Backup, int Depth)> Members(
        SnapshotInfo root,
        ILookup<string, SnapshotInfo> dependents
    )
    {
        List<(SnapshotInfo, int)> members = [];
        var next = new Stack<(SnapshotInfo Backup, int Depth)>([(root, 1)]);
        while (next.TryPop(out var member))
        {
            members.Add(member);
            var onTop = dependents[member.Backup.SnapshotId].ToList();
            foreach (var dependent in Enumerable.Reverse(onTop))
                next.Push((dependent, member.Depth + (onTop.Count > 1 ? 1 : 0)));
        }

        return members;
    }
}
