namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>Columns of plain text, as wide as their widest cell, two spaces apart, without trailing spaces.</summary>
public static class Table
{
    /// <param name="writer">Where the table goes.</param>
    /// <param name="header">The titles of the columns.</param>
    /// <param name="rows">The cells of each row. Enumerated twice, so that a long table can be made as it is
    /// written.</param>
    public static void Write(TextWriter writer, IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows)
    {
        int[] widths = [.. header.Select(title => title.Length)];
        foreach (var row in rows)
            for (var column = 0; column < widths.Length; column++)
                widths[column] = Math.Max(widths[column], row[column].Length);
        foreach (var row in rows.Prepend(header))
            writer.WriteLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
    }
}
