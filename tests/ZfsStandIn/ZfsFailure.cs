namespace ZfsSnapshotManager.ZfsStandIn;

/// <summary>A command that fails as <c>zfs</c> does.</summary>
internal sealed class ZfsFailure(string words, int exitCode = 1) : Exception(words)
{
    /// <summary>1 where the command fails, 2 for a wrong command line, 255 for a refused <c>zfs send -t</c>.</summary>
    public int ExitCode { get; } = exitCode;

    /// <summary>A wrong command line; real ZFS prints a page after that word.</summary>
    public static ZfsFailure Usage(string words) => new($"{words}\nusage:", 2);

    public static ZfsFailure NotFound(string name, string what = "cannot open") =>
        new($"{what} '{name}': dataset does not exist");
}
