using ZfsSnapshotManager.ZfsStandIn.State;

namespace ZfsSnapshotManager.ZfsStandIn.Commands;

/// <summary><c>zfs snapshot</c>, <c>bookmark</c>, <c>hold</c>, <c>holds</c>, <c>release</c>.</summary>
internal static class SnapshotCommands
{
    public static int Snapshot(string[] rest)
    {
        var arguments = new Arguments(rest, "o:");
        (string Dataset, string Leaf)[] names = [.. arguments.Names.Select(Split)];
        StateStore.Change(pool =>
        {
            if (names.FirstOrDefault(name => pool.Find(name.Dataset) is null) is (not null, _) missing)
                throw ZfsFailure.Usage(ZfsFailure.NotFound(missing.Dataset).Message);
            if (names.DistinctBy(name => name.Dataset).Count() < names.Length)
                throw new ZfsFailure(
                    "cannot create snapshots : multiple snapshots of same fs not allowed\nno snapshots were created"
                );
            string[] refusals = [.. names.Select(name => FindRefusal(pool, name)).OfType<string>()];
            if (refusals.Length > 0)
                throw new ZfsFailure(
                    string.Join('\n', refusals) + (names.Length > 1 ? "\nno snapshots were created" : "")
                );
            foreach (var (name, leaf) in names)
                pool.Get(name).Snapshots.Add(Make(pool, pool.Get(name), leaf, arguments));
        });
        return 0;
    }

    public static int Bookmark(string[] rest)
    {
        if (new Arguments(rest, "").Names is not [var from, var to])
            throw ZfsFailure.Usage("missing bookmark argument");
        StateStore.Change(pool =>
        {
            var source = Entry.Find(pool, from)
                ?? throw ZfsFailure.Usage(
                    from.Contains('#', StringComparison.Ordinal)
                        ? $"cannot open '{from}': no such pool or dataset"
                        : ZfsFailure.NotFound(from).Message
                );
            var (name, leaf) = to.Split('#') is [var first, var second] ? (first, second) : (to, "");
            var dataset = pool.Get(name);
            if (pool.HasNoBookmarks)
                throw new ZfsFailure($"cannot create bookmark '{to}': bookmark feature not enabled");
            if (dataset.FindBookmark(leaf) is not null)
                throw new ZfsFailure($"cannot create bookmark '{to}': bookmark exists");
            dataset.Bookmarks.Add(source.ToBookmark(leaf));
        });
        return 0;
    }

    public static int Hold(string[] rest)
    {
        if (new Arguments(rest, "").Names is not [var tag, .. var names])
            throw ZfsFailure.Usage("missing tag argument");
        return ForEach(names, (pool, name) =>
        {
            if (!Find(pool, name, "cannot hold snapshot").Holds.TryAdd(tag, PoolState.Now()))
                throw new ZfsFailure($"cannot hold snapshot '{name}': tag already exists on this dataset");
        });
    }

    public static int Holds(string[] rest)
    {
        var pool = StateStore.Read();
        foreach (var name in new Arguments(rest, "H").Names)
        {
            var snapshot = pool.FindSnapshot(name)
                ?? throw new ZfsFailure($"{ZfsFailure.NotFound(name).Message}\nno datasets available");
            foreach (var (tag, since) in snapshot.Holds)
                Console.Out.WriteLine(
                    $"{name}\t{tag}\t{DateTimeOffset.FromUnixTimeSeconds(since):ddd MMM d H:mm yyyy}"
                );
        }

        return 0;
    }

    public static int Release(string[] rest)
    {
        if (new Arguments(rest, "").Names is not [var tag, .. var names])
            throw ZfsFailure.Usage("missing tag argument");
        const string What = "cannot release hold from snapshot";
        return ForEach(names, (pool, name) =>
        {
            if (!Find(pool, name, What).Holds.Remove(tag))
                throw new ZfsFailure($"{What} '{name}': no such tag on this dataset");
        });
    }

    /// <summary>Does for each name what can be done; a refusal of one does not keep it from the others.</summary>
    public static int ForEach(string[] names, Action<PoolState, string> change) =>
        StateStore.Change(pool =>
        {
            var exitCode = 0;
            foreach (var name in names)
            {
                try
                {
                    change(pool, name);
                }
                catch (ZfsFailure failure)
                {
                    Console.Error.WriteLine(failure.Message);
                    exitCode = failure.ExitCode;
                }
            }

            return exitCode;
        });

    private static Snapshot Find(PoolState pool, string name, string what)
    {
        _ = pool.Get(name.Split('@')[0]);
        return pool.FindSnapshot(name) ?? throw ZfsFailure.NotFound(name, what);
    }

    private static (string Dataset, string Leaf) Split(string name) =>
        name.Split('@') is [var dataset, var leaf]
            ? (dataset, leaf)
            : throw ZfsFailure.Usage($"cannot create snapshot '{name}': empty component or misplaced '@'");

    private static string? FindRefusal(PoolState pool, (string Dataset, string Leaf) snapshot)
    {
        var dataset = pool.Get(snapshot.Dataset);
        var name = $"{dataset.Name}@{snapshot.Leaf}";
        if (dataset.FindSnapshot(snapshot.Leaf) is not null)
            return $"cannot create snapshot '{name}': dataset already exists";
        return dataset.IsInconsistent ? $"cannot create snapshot '{name}': dataset is busy" : null;
    }

    private static Snapshot Make(PoolState pool, Dataset dataset, string leaf, Arguments arguments)
    {
        var snapshot = new Snapshot
        {
            Leaf = leaf,
            Guid = PoolState.NewGuid(),
            CreateTxg = pool.Txg,
            Creation = PoolState.Now(),
            Contents = dataset.Head.Copy(),
        };
        foreach (var (name, value) in arguments.Properties('o'))
            snapshot.Properties[name] = value;
        return snapshot;
    }
}
