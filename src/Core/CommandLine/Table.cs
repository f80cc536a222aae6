namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>Columns of plain text, as wide as their widest cell, two spaces apart, without trailing spaces.</summary>
public static class Table
{
    public static void Write(
        TextWriter writer,
        IReadOnlyList<string> header,
        IReadOnlyCollection<IReadOnlyList<string>> rows
    )
    {
        var widths = header
            .Select((title, column) => rows.Select(row => row[column].Length).Append(title.Length).Max())
            .ToArray();
        foreach (var row in rows.Prepend(header))
        {
            writer.WriteLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
        }
    }
}
