namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// Reads values of properties that may hold tabs and line breaks themselves. Many are read by one command; if its
/// output is not exactly one row for each, the properties and then the datasets are halved until the odd value is asked
/// for alone, when all that is printed is the value. So one odd value among those of a hundred datasets takes some
/// twenty commands, also if all inherit it.
/// </summary>
/// <param name="run">Runs <c>zfs</c> with arguments, and returns what it prints.</param>
internal sealed class PropertyValueReader(Func<IReadOnlyList<string>, CancellationToken, Task<string>> run)
{
    private readonly Dictionary<(string Dataset, string Name), string> _values = [];

    /// <summary>Reads all properties of datasets that are wanted.</summary>
    /// <param name="datasets">The datasets.</param>
    /// <param name="isWanted">Decides by name and source; the values of others may be odd without effect.</param>
    /// <returns>The wanted properties in the order in which <c>zfs</c> prints them.</returns>
    public async Task<IReadOnlyList<(PropertyRow Row, string Value)>> ReadAsync(
        IReadOnlyList<string> datasets,
        Func<PropertyRow, bool> isWanted,
        CancellationToken cancellationToken
    )
    {
        var rows = PropertyTable.ParseNames(
            await run(["get", "-H", "-p", "-o", "name,property,source", "all", .. datasets], cancellationToken)
        );
        var values = PropertyTable.FindValues(
            await run(["get", "-H", "-p", "-o", "name,property,value", "all", .. datasets], cancellationToken),
            rows
        );
        if (values is not null)
            return [.. rows.Zip(values).Where(pair => isWanted(pair.First))];

        List<PropertyRow> wanted = [.. rows.Where(isWanted)];
        string[] printed = [.. wanted.Select(row => row.Dataset).Distinct(StringComparer.Ordinal)];
        string[] names = [.. wanted.Select(row => row.Name).Distinct(StringComparer.Ordinal)];
        await ReadNamedAsync(printed, names, [.. wanted.Select(row => (row.Dataset, row.Name))], cancellationToken);
        return [.. wanted.Select(row => (row, _values[(row.Dataset, row.Name)]))];
    }

    private async Task ReadNamedAsync(
        string[] datasets,
        string[] names,
        HashSet<(string Dataset, string Name)> wanted,
        CancellationToken cancellationToken
    )
    {
        if (names.Length == 1)
            datasets = Array.FindAll(datasets, dataset => wanted.Contains((dataset, names[0])));
        if (datasets.Length == 0 || names.Length == 0)
            return;
        if (datasets.Length == 1 && names.Length == 1)
        {
            var output = await run(["get", "-H", "-p", "-o", "value", names[0], datasets[0]], cancellationToken);
            _values[(datasets[0], names[0])] = output.EndsWith('\n') ? output[..^1] : output;
        }
        else if (!await TryReadNamedAsync(datasets, names, cancellationToken))
        {
            foreach (var few in names.Length > 1 ? Halves(names) : [names])
            foreach (var some in names.Length > 1 ? [datasets] : Halves(datasets))
                await ReadNamedAsync(some, few, wanted, cancellationToken);
        }
    }

    private static string[][] Halves(string[] list) => [list[..(list.Length / 2)], list[(list.Length / 2)..]];

    /// <returns>False if they must be read by several commands.</returns>
    private async Task<bool> TryReadNamedAsync(string[] datasets, string[] names, CancellationToken cancellationToken)
    {
        if (NameBatches.Length([.. names, .. datasets]) > NameBatches.OneArgument)
            return false;
        PropertyRow[] rows =
        [
            .. datasets.SelectMany(dataset =>
                names.Select(name => new PropertyRow(dataset, name, PropertySource.None))
            ),
        ];
        var output = await run(
            ["get", "-H", "-p", "-o", "name,property,value", string.Join(',', names), .. datasets],
            cancellationToken
        );
        if (PropertyTable.FindValues(output, rows) is not { } values)
            return false;
        foreach (var (row, value) in rows.Zip(values))
            _values[(row.Dataset, row.Name)] = value;
        return true;
    }
}
