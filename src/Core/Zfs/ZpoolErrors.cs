namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>Blocks of a pool that cannot be read, as <c>zpool status</c> counts them.</summary>
public static class ZpoolErrors
{
    private const string Label = "errors:";
    private const string None = "No known data errors";

    /// <returns>What <c>zpool</c> says of them; null if there are none, or if it does not say.</returns>
    public static async Task<string?> FindAsync(ZfsHost zfs, string pool, CancellationToken cancellationToken)
    {
        try
        {
            return Parse(await zfs.RunOtherAsync("zpool", ["status", pool], cancellationToken));
        }
        catch (OperationException)
        {
            return null; // no zpool, or not for this user: only a hint is lost
        }
    }

    /// <summary>
    /// Reads the last line, such as <c>errors: 2 data errors, use '-v' for a list</c> (cmd/zpool/zpool_main.c,
    /// status_callback).
    /// </summary>
    internal static string? Parse(string status)
    {
        var line = status
            .Split('\n', StringSplitOptions.TrimEntries)
            .LastOrDefault(line => line.StartsWith(Label, StringComparison.Ordinal));
        return line is null || line.Contains(None, StringComparison.Ordinal) ? null : line[Label.Length..].Trim();
    }
}
