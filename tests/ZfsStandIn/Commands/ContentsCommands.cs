using ZfsSnapshotManager.ZfsStandIn.State;

namespace ZfsSnapshotManager.ZfsStandIn.Commands;

/// <summary>
/// What tests do with files where there is real ZFS, by commands that real <c>zfs</c> does not have:
/// <c>stand-in write DATASET [FILE BYTES]…</c> (random data), <c>stand-in write-compressible</c>, <c>stand-in remove
/// DATASET FILE</c>, <c>stand-in describe DATASET|SNAPSHOT</c>, <c>stand-in damage DATASET FILE</c> (its disk cannot
/// read one block any more), <c>stand-in repair DATASET FILE</c> (it can again, in snapshots as well);
/// <c>stand-in populate DATASET COUNT</c> makes datasets below one; <c>stand-in add-pool NAME</c>; <c>stand-in
/// no-bookmarks</c> turns that feature off;
/// and what <c>zfs send -p SNAPSHOT | zfs receive -u DATASET</c> does: <c>stand-in replicate SNAPSHOT DATASET</c>.
/// </summary>
internal static class ContentsCommands
{
    public static int Run(string[] arguments)
    {
        switch (arguments)
        {
            case ["write" or "write-compressible", var dataset, .. var files]:
                var compressible = arguments[0] != "write";
                StateStore.Change(pool =>
                {
                    foreach (var file in files.Chunk(2))
                        pool.Get(dataset).Head.Write(file[0], long.Parse(file[1]), Block.NewSeed(compressible));
                });
                break;
            case ["remove", var dataset, var file]:
                StateStore.Change(pool => pool.Get(dataset).Head.Files.RemoveAll(old => old.Name == file));
                break;
            case ["describe", var name]:
                var entry = Entry.Find(StateStore.Read(), name) ?? throw ZfsFailure.NotFound(name);
                Console.Out.WriteLine($"guid {entry.Get("guid").Value}");
                foreach (var line in (entry.Snapshot?.Contents ?? entry.Dataset.Head).Describe())
                    Console.Out.WriteLine(line);
                break;
            case ["damage", var dataset, var file]:
                StateStore.Change(pool => pool.Get(dataset).Head.Get(file).DamageMiddle());
                break;
            case ["repair", var dataset, var file]:
                StateStore.Change(pool => Repair(pool.Get(dataset), file));
                break;
            case ["populate", var dataset, var count]:
                StateStore.Change(pool =>
                {
                    for (var number = 0; number < int.Parse(count); number++)
                        DatasetCommands.Add(pool, $"{dataset}/d{number:00000}");
                });
                break;
            case ["add-pool", var name]:
                StateStore.Change(pool => DatasetCommands.Add(pool, name));
                break;
            case ["no-bookmarks"]:
                StateStore.Change(pool => pool.HasNoBookmarks = true);
                break;
            case ["replicate", var from, var to]:
                StateStore.Change(pool => Replicate(pool, from, to));
                break;
            default:
                throw ZfsFailure.Usage(
                    "stand-in write, write-compressible, remove, describe, damage, repair, populate, add-pool, "
                        + "no-bookmarks, replicate"
                );
        }

        return 0;
    }

    private static void Repair(Dataset dataset, string file)
    {
        foreach (var contents in dataset.Snapshots.Select(snapshot => snapshot.Contents).Append(dataset.Head))
            contents.Files.Find(stored => stored.Name == file)?.Repair();
    }

    private static void Replicate(PoolState pool, string from, string to)
    {
        var source = pool.FindSnapshot(from) ?? throw ZfsFailure.NotFound(from);
        var target = DatasetCommands.Add(pool, to);
        target.Head = source.Contents.Copy();
        target.Snapshots.Add(
            new Snapshot
            {
                Leaf = source.Leaf,
                Guid = source.Guid,
                CreateTxg = pool.Txg,
                Creation = source.Creation,
                Properties = new SortedDictionary<string, string>(source.Properties, StringComparer.Ordinal),
                Received = [.. source.Properties.Keys],
                Contents = source.Contents.Copy(),
            }
        );
    }
}
