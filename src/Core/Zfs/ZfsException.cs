namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>A <c>zfs</c> command that failed, with ZFS's own words.</summary>
public sealed class ZfsException(IReadOnlyList<string> arguments, int exitCode, string standardError, string? remedy = null)
    : OperationException(Core.ExitCode.Zfs, Describe(arguments, exitCode, standardError), remedy ?? FindRemedy(standardError))
{
    public IReadOnlyList<string> Arguments { get; } = arguments;

    /// <summary>Exit code of the command; 128 + signal where it was killed.</summary>
    public int CommandExitCode { get; } = exitCode;

    public string StandardError { get; } = standardError;

    private static string Describe(IReadOnlyList<string> arguments, int exitCode, string standardError)
    {
        var command = string.Join(' ', arguments.Select(a => a.Contains(' ', StringComparison.Ordinal) ? $"'{a}'" : a));
        var words = standardError.Trim();
        return words.Length > 0 ? $"zfs {command} failed with exit code {exitCode}: {words}" : $"zfs {command} failed with exit code {exitCode} and said nothing";
    }

    private static string? FindRemedy(string standardError)
    {
        (string Words, string Remedy)[] known =
        [
            ("permission denied", "Run as root, or let root delegate the permission with 'zfs allow'."),
            ("dataset does not exist", "Check the name with 'zfs list'."),
            ("destination has snapshots", "Choose a dataset that does not exist yet, or use --force."),
            ("out of space", "Free space in the pool, or restore to another pool."),
            ("does not match incremental source", "The dataset was changed after it was received: restore into a new dataset, or use --force."),
            ("has been modified", "The dataset was changed after it was received: restore into a new dataset, or use --force."),
            ("is busy", "Something uses the dataset: leave its directories, stop what has files open there, and try again."),
            ("key must be loaded", "Load the key with 'zfs load-key'."),
            ("The ZFS modules", "Load the module with 'modprobe zfs'."),
        ];
        foreach (var (words, remedy) in known)
        {
            if (standardError.Contains(words, StringComparison.OrdinalIgnoreCase)) return remedy;
        }

        return null;
    }
}
