using ZfsSnapshotManager.ZfsStandIn.State;

namespace ZfsSnapshotManager.ZfsStandIn.Commands;

/// <summary><c>zfs destroy</c>: all that it names, or nothing.</summary>
internal static class DestroyCommand
{
    public static int Run(string[] rest)
    {
        var arguments = new Arguments(rest, "rR");
        var name = arguments.Name;
        StateStore.Change(pool =>
        {
            if (name.Split('#') is [var dataset, var bookmark])
                DestroyBookmark(pool, dataset, bookmark);
            else if (name.Split('@') is [var all, "%"])
                DestroySnapshots(pool, all);
            else if (name.Split('@') is [var of, var leaf])
                DestroySnapshot(pool, of, leaf);
            else
                DestroyDataset(pool, name, arguments.Has('r') || arguments.Has('R'), arguments.Has('R'));
        });
        return 0;
    }

    private static void DestroyBookmark(PoolState pool, string dataset, string leaf)
    {
        if (pool.Get(dataset).Bookmarks.RemoveAll(bookmark => bookmark.Leaf == leaf) == 0)
            throw new ZfsFailure($"bookmark '{dataset}#{leaf}' does not exist.");
    }

    private static void DestroySnapshot(PoolState pool, string name, string leaf)
    {
        var dataset = pool.Get(name);
        var snapshot = dataset.FindSnapshot(leaf)
            ?? throw new ZfsFailure("could not find any snapshots to destroy; check snapshot names.");
        string[] clones = [.. pool.ClonesOf(dataset, snapshot)];
        if (clones.Length > 0)
            throw WithDependents($"{name}@{leaf}", "snapshot has dependent clones", "-R", clones);
        DemandFree(dataset, snapshot);
        dataset.Snapshots.Remove(snapshot);
    }

    /// <summary>All snapshots of a dataset, or none.</summary>
    private static void DestroySnapshots(PoolState pool, string name)
    {
        var snapshots = pool.Get(name).Snapshots.ToList();
        if (snapshots.Count == 0)
            throw new ZfsFailure("could not find any snapshots to destroy; check snapshot names.");
        foreach (var snapshot in snapshots)
            DestroySnapshot(pool, name, snapshot.Leaf);
    }

    private static void DestroyDataset(PoolState pool, string name, bool recursive, bool withClones)
    {
        var dataset = pool.Get(name);
        List<Dataset> gone = [.. pool.Tree(name)];
        if (!recursive)
        {
            string[] below =
            [
                .. dataset.Snapshots.Select(snapshot => $"{name}@{snapshot.Leaf}"),
                .. gone.Skip(1)
                    .SelectMany(child =>
                        child.Snapshots.Select(snapshot => $"{child.Name}@{snapshot.Leaf}").Append(child.Name)
                    ),
            ];
            if (below.Length > 0)
                throw WithDependents(name, $"{dataset.Type} has children", "-r", below);
        }

        var clones = FindClones(pool, gone);
        if (clones.Count > 0 && !withClones)
            throw WithDependents(
                name,
                $"{dataset.Type} has dependent clones",
                "-R",
                [.. clones.Select(clone => clone.Name)]
            );
        gone.AddRange(clones);
        foreach (var one in gone)
        {
            DatasetCommands.DemandIdle(one, $"cannot destroy '{one.Name}'");
            one.Snapshots.ForEach(snapshot => DemandFree(one, snapshot));
        }

        pool.Datasets.RemoveAll(gone.Contains);
    }

    /// <summary>Clones of the snapshots of some datasets, and clones of these, that are not among them.</summary>
    private static List<Dataset> FindClones(PoolState pool, List<Dataset> of)
    {
        List<Dataset> found = [];
        List<Dataset> next = of;
        while (next.Count > 0)
        {
            next =
            [
                .. next.SelectMany(dataset =>
                        dataset.Snapshots.SelectMany(snapshot => pool.ClonesOf(dataset, snapshot))
                    )
                    .SelectMany(pool.Tree)
                    .Where(clone => !of.Contains(clone) && !found.Contains(clone)),
            ];
            found.AddRange(next);
        }

        return found;
    }

    private static void DemandFree(Dataset dataset, Snapshot snapshot)
    {
        var name = $"{dataset.Name}@{snapshot.Leaf}";
        if (snapshot.Holds.Count > 0)
            throw new ZfsFailure(
                $"cannot destroy snapshot {name}: it's being held. Run 'zfs holds -r {name}' to see holders."
            );
        if (FileLock.IsInUse(FileLock.OfSend(dataset, snapshot)))
            throw new ZfsFailure($"cannot destroy snapshot {name}: dataset is busy");
    }

    private static ZfsFailure WithDependents(string name, string why, string option, string[] dependents) =>
        new(
            $"cannot destroy '{name}': {why}\nuse '{option}' to destroy the following datasets:\n"
                + string.Join('\n', dependents)
        );
}
