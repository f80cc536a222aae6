namespace ZfsSnapshotManager.Restore.Mounting;

/// <summary>What the kernel says is mounted (proc(5), <c>/proc/PID/mounts</c>).</summary>
internal static class MountTable
{
    private const string Current = "/proc/self/mounts";

    /// <returns>Where the dataset is mounted; null if it is not.</returns>
    public static string? FindDirectory(string dataset) => FindDirectory(dataset, File.ReadLines(Current));

    /// <param name="dataset">A dataset, snapshot or device.</param>
    /// <param name="lines">The lines of the table.</param>
    public static string? FindDirectory(string dataset, IEnumerable<string> lines) =>
        lines
            .Select(line => line.Split(' '))
            .Where(fields => fields.Length > 1 && Decode(fields[0]) == dataset)
            .Select(fields => Decode(fields[1]))
            .LastOrDefault();

    /// <summary>Blanks, tabs, line breaks and backslashes are written as <c>\040</c> and so on.</summary>
    private static string Decode(string field)
    {
        var parts = field.Split('\\');
        return parts[0] + string.Concat(parts.Skip(1).Select(part => (char)Convert.ToInt32(part[..3], 8) + part[3..]));
    }
}
