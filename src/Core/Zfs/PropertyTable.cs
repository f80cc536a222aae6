namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>A row of <c>zfs get -H</c> without its value.</summary>
internal readonly record struct PropertyRow(string Dataset, string Name, PropertySource Source);

/// <summary>What <c>zfs get -H</c> prints, read so that no value can imitate rows or columns.</summary>
internal static class PropertyTable
{
    /// <summary>Reads <c>-o name,property,source</c>: none of them holds tabs or line breaks.</summary>
    public static IReadOnlyList<PropertyRow> ParseNames(string output)
    {
        List<PropertyRow> rows = [];
        foreach (var line in Lines(output))
        {
            if (line.Split('\t') is not [var dataset, var name, var source])
                throw new FormatException($"zfs get printed '{line}' where a dataset, a property and a source belong");
            rows.Add(new PropertyRow(dataset, name, ParseSource(source)));
        }

        return rows;
    }

    /// <summary>
    /// Reads <c>-o name,property,value</c>. A value with a line break makes a row too many, whatever it imitates.
    /// </summary>
    /// <returns>The values of the rows; null if the output is not exactly one line for each of them.</returns>
    public static IReadOnlyList<string>? FindValues(string output, IReadOnlyList<PropertyRow> rows)
    {
        var lines = Lines(output);
        if (lines.Length != rows.Count)
            return null;
        var values = new List<string>(rows.Count);
        foreach (var (row, line) in rows.Zip(lines))
        {
            if (
                line.Split('\t') is not [var dataset, var name, var value]
                || dataset != row.Dataset
                || name != row.Name
            )
                return null;
            values.Add(value);
        }

        return values;
    }

    private static string[] Lines(string output)
    {
        var ended = output.EndsWith('\n') ? output[..^1] : output;
        return output.Length == 0 ? [] : ended.Split('\n');
    }

    private static PropertySource ParseSource(string text) =>
        text switch
        {
            "local" => PropertySource.Local,
            "received" => PropertySource.Received,
            "default" => PropertySource.Default,
            _ when text.StartsWith("inherited from ", StringComparison.Ordinal) => PropertySource.Inherited,
            _ => PropertySource.None, // "-"; "temporary" is an option of a mount, not of the dataset
        };
}
