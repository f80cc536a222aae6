using ZfsSnapshotManager.ZfsStandIn.State;

namespace ZfsSnapshotManager.ZfsStandIn.Commands;

/// <summary>
/// <c>zfs rollback</c>: what is newer than the snapshot is in its way, bookmarks too, unless <c>-r</c> destroys it.
/// </summary>
internal static class RollbackCommand
{
    public static int Run(string[] rest)
    {
        var arguments = new Arguments(rest, "rRf");
        var name = arguments.Name;
        return StateStore.Change(pool =>
        {
            var dataset = pool.Get(name.Split('@')[0], name);
            var target = pool.GetSnapshot(name);
            Snapshot[] snapshots = [.. dataset.Snapshots.Where(snapshot => snapshot.CreateTxg > target.CreateTxg)];
            Bookmark[] bookmarks = [.. dataset.Bookmarks.Where(bookmark => bookmark.CreateTxg > target.CreateTxg)];
            string[] newer =
            [
                .. snapshots.Select(snapshot => $"{dataset.Name}@{snapshot.Leaf}"),
                .. bookmarks.Select(bookmark => $"{dataset.Name}#{bookmark.Leaf}"),
            ];
            if (newer.Length > 0 && !arguments.Has('r') && !arguments.Has('R'))
                throw new ZfsFailure(
                    $"cannot rollback to '{name}': more recent snapshots or bookmarks exist\nuse '-r' to force "
                        + $"deletion of the following snapshots and bookmarks:\n{string.Join('\n', newer)}"
                );

            // A held snapshot saves nothing else that is newer.
            Snapshot[] held = [.. snapshots.Where(snapshot => snapshot.Holds.Count > 0)];
            dataset.Snapshots.RemoveAll(snapshot => snapshots.Contains(snapshot) && !held.Contains(snapshot));
            dataset.Bookmarks.RemoveAll(bookmarks.Contains);
            foreach (var snapshot in held)
                Console.Error.WriteLine($"cannot destroy '{dataset.Name}@{snapshot.Leaf}': dataset is busy");
            if (held.Length > 0)
                return 1;
            dataset.Head = target.Contents.Copy();
            return 0;
        });
    }
}
