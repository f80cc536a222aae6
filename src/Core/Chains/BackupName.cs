using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Core.Chains;

/// <summary>
/// The names of a backup that do not change: its snapshot ID (<c>web1/tank_data_2026-02-13_14:30:00</c>) and the name
/// of its snapshot (<c>tank/data@monday</c>). Unlike the number in a list, they mean the same backup tomorrow.
/// </summary>
public static class BackupName
{
    /// <summary>More candidates than these are not listed in a message.</summary>
    private const int MaxCandidates = 8;

    /// <summary>Whether a text can be such a name: both kinds have a slash or an <c>@</c>.</summary>
    public static bool IsName(string text) => text.AsSpan().IndexOfAny('/', '@') >= 0;

    /// <returns>The backup of this name; null if none has it.</returns>
    /// <exception cref="OperationException">Several backups have this name.</exception>
    public static SnapshotInfo? Find(string name, IEnumerable<SnapshotInfo> backups)
    {
        List<SnapshotInfo> found = [];
        foreach (var backup in backups)
        {
            if (backup.SnapshotId == name)
                return backup;
            if (IsSnapshot(name, backup))
                found.Add(backup);
        }

        if (found.Count <= 1)
            return found.FirstOrDefault();
        var more = found.Count > MaxCandidates ? ", …" : "";
        throw new OperationException(
            ExitCode.Usage,
            $"{name} is the name of {found.Count} backups.",
            $"Name the one you mean by its snapshot ID: {string.Join(", ", found.Take(MaxCandidates).Select(Describe))}"
                + $"{more}."
        );
    }

    /// <summary><c>tank/data@monday</c></summary>
    public static string OfSnapshot(SnapshotInfo backup) => $"{backup.DatasetName}@{backup.SnapshotName}";

    private static bool IsSnapshot(string name, SnapshotInfo backup) =>
        name.Length == backup.DatasetName.Length + 1 + backup.SnapshotName.Length
        && name[backup.DatasetName.Length] == '@'
        && name.StartsWith(backup.DatasetName, StringComparison.Ordinal)
        && name.EndsWith(backup.SnapshotName, StringComparison.Ordinal);

    private static string Describe(SnapshotInfo backup) =>
        $"{backup.SnapshotId} ({(backup.IsIncremental ? "incremental" : "full")}, received "
        + $"{Timestamps.ToMinute(backup.ReceivedAt)})";
}
