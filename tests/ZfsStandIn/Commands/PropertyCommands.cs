using ZfsSnapshotManager.ZfsStandIn.State;

namespace ZfsSnapshotManager.ZfsStandIn.Commands;

/// <summary><c>zfs set</c>, <c>inherit</c>, <c>get</c>.</summary>
internal static class PropertyCommands
{
    public static int Set(string[] rest)
    {
        string[] properties = [.. rest.TakeWhile(word => word.Contains('=', StringComparison.Ordinal))];
        if (properties.Length == 0 || properties.Length == rest.Length)
            throw ZfsFailure.Usage("missing property=value argument(s)");
        return SnapshotCommands.ForEach(rest[properties.Length..], (pool, name) =>
        {
            var entry = Entry.Find(pool, name) ?? throw ZfsFailure.NotFound(name);
            foreach (var (property, value) in properties.Select(Arguments.ReadProperty))
            {
                if (!Entry.CanBeSet(property))
                    throw new ZfsFailure($"cannot set property for '{name}': invalid property '{property}'");
                entry.Own![property] = value;
                entry.Snapshot?.Received.Remove(property);
            }
        });
    }

    public static int Inherit(string[] rest)
    {
        var arguments = new Arguments(rest, "rS");
        if (arguments.Names is not [var property, .. var names])
            throw ZfsFailure.Usage("missing property argument");
        if (property == "canmount" && !arguments.Has('S'))
            throw new ZfsFailure("'canmount' property cannot be inherited");
        return SnapshotCommands.ForEach(names, (pool, name) =>
        {
            (Entry.Find(pool, name) ?? throw ZfsFailure.NotFound(name)).Own!.Remove(property);
            if (!arguments.Has('r'))
                return;
            foreach (var dataset in pool.Tree(name))
                dataset.Properties.Remove(property);
        });
    }

    public static int Get(string[] rest)
    {
        var arguments = new Arguments(rest, "Hprd:o:s:t:");
        if (arguments.Names is not [var wanted, .. var names])
            throw ZfsFailure.Usage("missing property argument");
        var pool = StateStore.Read();
        string[] properties = wanted == "all" ? [] : wanted.Split(',');
        if (properties.FirstOrDefault(property => !Entry.IsProperty(property)) is { } unknown)
            throw ZfsFailure.Usage($"bad property list: invalid property '{unknown}'");
        var fields = (arguments.Find('o') ?? "name,property,value,source").Split(',');
        var sources = arguments.Find('s')?.Split(',');
        var exitCode = 0;
        foreach (var name in names)
        {
            if (Entry.Find(pool, name) is not { } entry)
            {
                Console.Error.WriteLine(ZfsFailure.NotFound(name).Message);
                exitCode = 1;
                continue;
            }

            foreach (var found in Find(pool, entry, arguments))
            {
                foreach (var property in wanted == "all" ? AllOf(found) : properties)
                    Print(found, property, fields, sources);
            }
        }

        return exitCode;
    }

    /// <summary>What is named, or what is below it and of the wanted types.</summary>
    private static IEnumerable<Entry> Find(PoolState pool, Entry entry, Arguments arguments)
    {
        if (!arguments.Has('r') && !arguments.Has('d'))
            return [entry];
        var types = ListCommand.ReadTypes(arguments.Find('t') ?? "all")!;
        return ListCommand
            .Collect(pool, entry, ListCommand.ReadDepth(arguments), isNamed: false)
            .Where(found => types.Contains(found.Type, StringComparer.Ordinal));
    }

    /// <summary>"All", as far as they are known here: the native ones first, as ZFS shows them.</summary>
    private static IEnumerable<string> AllOf(Entry entry) =>
        entry
            .Settable()
            .OrderBy(name => name.Contains(':', StringComparison.Ordinal))
            .ThenBy(name => name, StringComparer.Ordinal);

    private static void Print(Entry entry, string property, string[] fields, string[]? sources)
    {
        var (value, source) = entry.Get(property);
        if (sources is not null && !sources.Contains(source.Split(' ')[0], StringComparer.Ordinal))
            return;
        var row = fields.Select(field =>
            field switch
            {
                "name" => entry.Name,
                "property" => property,
                "value" => value,
                "source" => source,
                _ => throw ZfsFailure.Usage($"invalid column name '{field}'"),
            }
        );
        Console.Out.WriteLine(string.Join('\t', row));
    }
}
