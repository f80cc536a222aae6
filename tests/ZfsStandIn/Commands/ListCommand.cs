using ZfsSnapshotManager.ZfsStandIn.State;

namespace ZfsSnapshotManager.ZfsStandIn.Commands;

/// <summary><c>zfs list -H</c>.</summary>
internal static class ListCommand
{
    public static int Run(string[] rest)
    {
        var arguments = new Arguments(rest, "Hprd:t:o:s:");
        var pool = StateStore.Read();
        var types = ReadTypes(arguments.Find('t'));
        var depth = ReadDepth(arguments);
        var exitCode = 0;
        List<Entry> found = [];
        foreach (var name in arguments.Names is [] ? ["tank"] : arguments.Names)
        {
            if (Entry.Find(pool, name) is { } entry)
            {
                found.AddRange(Collect(pool, entry, depth, isNamed: types is null));
                continue;
            }

            Console.Error.WriteLine(ZfsFailure.NotFound(name).Message);
            exitCode = 1;
        }

        var rows = found
            .Where(entry => IsWanted(entry, types, arguments.Names))
            .DistinctBy(entry => entry.Name)
            .OrderBy(entry => entry.Dataset.Name, StringComparer.Ordinal);
        if (arguments.Find('s') == "name")
            rows = found
                .Where(entry => IsWanted(entry, types, arguments.Names))
                .OrderBy(entry => entry.Name, StringComparer.Ordinal);
        var columns = (arguments.Find('o') ?? "name").Split(',');
        if (columns.FirstOrDefault(column => !Entry.IsProperty(column)) is { } unknown)
            throw ZfsFailure.Usage($"bad property list: invalid property '{unknown}'");
        foreach (var entry in rows)
            Console.Out.WriteLine(string.Join('\t', columns.Select(column => entry.Get(column).Value)));
        return exitCode;
    }

    public static string[]? ReadTypes(string? text) =>
        text switch
        {
            null => null,
            "all" => ["filesystem", "volume", "snapshot", "bookmark"],
            _ => text.Split(','),
        };

    public static int ReadDepth(Arguments arguments)
    {
        if (arguments.Find('d') is { } depth)
            return int.Parse(depth);
        return arguments.Has('r') || arguments.Names.Length == 0 ? int.MaxValue : 0;
    }

    /// <summary>The named dataset and all below it; snapshots and bookmarks are one level below theirs.</summary>
    public static IEnumerable<Entry> Collect(PoolState pool, Entry entry, int depth, bool isNamed)
    {
        if (entry.Snapshot is not null || entry.Bookmark is not null || depth == 0)
            return [entry];
        var level = entry.Name.Count(c => c == '/');
        return pool.Tree(entry.Name)
            .Select(dataset => (dataset, Level: dataset.Name.Count(c => c == '/') - level))
            .Where(found => found.Level <= depth)
            .SelectMany(found =>
            {
                var dataset = new Entry(pool, found.dataset);
                return isNamed || found.Level >= depth ? [dataset] : dataset.Children().Prepend(dataset);
            });
    }

    /// <summary>Without types, datasets and what is named itself.</summary>
    private static bool IsWanted(Entry entry, string[]? types, string[] names) =>
        types?.Contains(entry.Type, StringComparer.Ordinal)
        ?? entry.Type is "filesystem" or "volume" || names.Contains(entry.Name, StringComparer.Ordinal);
}
