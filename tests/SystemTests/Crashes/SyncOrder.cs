namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>The rules for a sequence of calls after which a power cut loses nothing.</summary>
internal static class SyncOrder
{
    /// <param name="calls">Calls that are finished and whose effect must be durable.</param>
    /// <returns>What could be lost, by call.</returns>
    public static IReadOnlyList<string> FindFaults(IReadOnlyList<CountedCall> calls)
    {
        var done = calls.Where(call => call.TookEffect).ToList();
        return [.. done.SelectMany((call, index) => FindFaults(done, call, index)).Distinct(StringComparer.Ordinal)];
    }

    /// <summary>A file that is only locked has no content to lose.</summary>
    private static bool IsLock(string path) =>
        Path.GetFileName(path) is "lock" or "clients.json.lock" or "audit.log.lock" or "audit-failures.log.lock";

    private static IEnumerable<string> FindFaults(List<CountedCall> done, CountedCall call, int index)
    {
        var later = done.Skip(index + 1).ToList();
        switch (call.Name)
        {
            case "rename" or "link":
                if (!IsSynced(done.Take(index), call.Inode))
                    yield return $"{call}: the file was not synced before it got its name";
                if (!IsFolderSynced(later, call.TargetFolder))
                    yield return $"{call}: {call.TargetFolder} was not synced after it";
                break;
            case "mkdir"
            or "create"
                when !IsLock(call.Path)
                    && !later.Any(end => (end.Name is "rename" or "unlink") && end.Path == call.Path):
                if (!IsFolderSynced(later, call.TargetFolder))
                    yield return $"{call}: {call.TargetFolder} was not synced after it";
                break;
            case "write"
            or "truncate"
            or "empty" when !later.Any(end => end.Name == "unlink" && end.Inode == call.Inode):
                if (!later.Any(sync => sync.IsSync && sync.Inode == call.Inode))
                    yield return $"{call}: the file was not synced after it";
                break;
        }
    }

    private static bool IsSynced(IEnumerable<CountedCall> earlier, long inode) =>
        earlier.LastOrDefault(call => call.Inode == inode && (call.Name is "write" or "truncate" or "sync"))
            is null
                or { Name: "sync" };

    private static bool IsFolderSynced(List<CountedCall> later, string folder) =>
        later.Any(sync => sync.IsSync && sync.Path == folder);
}
