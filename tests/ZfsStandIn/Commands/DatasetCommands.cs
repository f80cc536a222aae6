using ZfsSnapshotManager.ZfsStandIn.State;

namespace ZfsSnapshotManager.ZfsStandIn.Commands;

/// <summary><c>zfs create</c>, <c>rename</c>, <c>clone</c>, <c>mount</c>, <c>unmount</c>.</summary>
internal static class DatasetCommands
{
    public static int Create(string[] rest)
    {
        var arguments = new Arguments(rest, "puso:V:");
        StateStore.Change(pool =>
        {
            if (arguments.Has('p'))
                CreateParents(pool, arguments.Name);
            if (pool.Find(arguments.Name) is not null)
            {
                if (arguments.Has('p'))
                    return;
                throw new ZfsFailure($"cannot create '{arguments.Name}': dataset already exists");
            }

            var dataset = Add(pool, arguments.Name);
            dataset.IsVolume = arguments.Has('V');
            foreach (var (name, value) in arguments.Properties('o'))
            {
                if (name == "encryption")
                    dataset.IsEncrypted = value != "off";
                else if (name is not ("keyformat" or "keylocation"))
                    dataset.Properties[name] = value;
            }

            dataset.IsMounted = !dataset.IsVolume && !arguments.Has('u') && MayBeMounted(dataset);
        });
        return 0;
    }

    public static int Rename(string[] rest)
    {
        if (new Arguments(rest, "").Names is not [var from, var to])
            throw ZfsFailure.Usage("missing target dataset argument");
        StateStore.Change(pool =>
        {
            _ = pool.Get(from);
            if (pool.Find(to) is not null)
                throw new ZfsFailure($"cannot rename '{from}': dataset already exists");
            DemandParent(pool, to);
            foreach (var dataset in pool.Tree(from).ToList())
            {
                var name = to + dataset.Name[from.Length..];
                foreach (var clone in pool.Datasets)
                {
                    if (clone.Origin?.Split('@') is [var origin, var leaf] && origin == dataset.Name)
                        clone.Origin = $"{name}@{leaf}";
                }

                dataset.Name = name;
            }
        });
        return 0;
    }

    public static int Clone(string[] rest)
    {
        var arguments = new Arguments(rest, "o:");
        if (arguments.Names is not [var from, var to])
            throw ZfsFailure.Usage("missing target dataset argument");
        StateStore.Change(pool =>
        {
            var snapshot = pool.GetSnapshot(from);
            if (pool.Find(to) is not null)
                throw new ZfsFailure($"cannot create '{to}': dataset already exists");
            var clone = Add(pool, to);
            clone.Origin = from;
            clone.Head = snapshot.Contents.Copy();
            clone.IsMounted = true;
        });
        return 0;
    }

    public static int Mount(string[] rest)
    {
        var arguments = new Arguments(rest, "o:");
        StateStore.Change(pool =>
        {
            var dataset = GetFileSystem(pool, arguments.Name);
            if (dataset.IsMounted)
                throw new ZfsFailure($"cannot mount '{dataset.Name}': filesystem already mounted");
            if (dataset.IsInconsistent)
                throw new ZfsFailure(
                    $"cannot mount '{dataset.Name}': Contains partially-completed state from \"zfs receive -s\", "
                        + "which can be resumed with \"zfs send -t\""
                );
            dataset.IsMounted = true;
        });
        return 0;
    }

    public static int Unmount(string[] rest)
    {
        var arguments = new Arguments(rest, "f");
        StateStore.Change(pool =>
        {
            var dataset = GetFileSystem(pool, arguments.Name);
            if (!dataset.IsMounted)
                throw new ZfsFailure($"cannot unmount '{dataset.Name}': not currently mounted");
            dataset.IsMounted = false;
        });
        return 0;
    }

    /// <summary>A new dataset; its parent must exist.</summary>
    public static Dataset Add(PoolState pool, string name)
    {
        DemandParent(pool, name);
        var dataset = new Dataset
        {
            Name = name,
            Guid = PoolState.NewGuid(),
            CreateTxg = pool.Txg,
            Creation = PoolState.Now(),
            IsEncrypted = name.LastIndexOf('/') is > 0 and var end && pool.Get(name[..end]).IsEncrypted,
        };
        pool.Datasets.Add(dataset);
        return dataset;
    }

    /// <summary>Refuses while a receive is at work in it.</summary>
    public static void DemandIdle(Dataset dataset, string what)
    {
        if (FileLock.IsInUse(FileLock.OfReceive(dataset)))
            throw new ZfsFailure($"{what}: dataset is busy");
    }

    private static void CreateParents(PoolState pool, string name)
    {
        for (var end = name.IndexOf('/'); end > 0; end = name.IndexOf('/', end + 1))
        {
            if (pool.Find(name[..end]) is null)
                Add(pool, name[..end]).IsMounted = true;
        }
    }

    private static void DemandParent(PoolState pool, string name)
    {
        if (name.LastIndexOf('/') is > 0 and var end && pool.Find(name[..end]) is null)
            throw new ZfsFailure($"cannot create '{name}': parent does not exist");
    }

    private static Dataset GetFileSystem(PoolState pool, string name) =>
        pool.Get(name) is { IsVolume: false } dataset
            ? dataset
            : throw new ZfsFailure($"cannot open '{name}': operation not applicable to datasets of this type");

    private static bool MayBeMounted(Dataset dataset) =>
        !dataset.Properties.TryGetValue("canmount", out var value) || value == "on";
}
