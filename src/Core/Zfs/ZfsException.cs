namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>A command that failed, with its own message: <c>zfs</c>, or another one where it runs.</summary>
public sealed class ZfsException(
    IReadOnlyList<string> arguments,
    int exitCode,
    string standardError,
    ZfsRemoteHost? remote = null,
    string name = ZfsHost.Zfs
)
    : OperationException(
        Core.ExitCode.Zfs,
        Describe([name, .. arguments], exitCode, standardError, remote),
        FindRemedy(arguments, exitCode, standardError, remote),
        kind: EndOf(exitCode, standardError, remote) == ZfsEnd.Disconnected
            ? FailureKind.Transient
            : FailureKind.Dataset
    )
{
    /// <summary>
    /// The exit code of ssh itself if the connection fails (ssh(1)). It is also that of a failed <c>zfs send -t</c>,
    /// which returns libzfs's -1 (cmd/zfs/zfs_main.c, zfs_do_send), and that of ssh for a command that was killed.
    /// </summary>
    private const int SshFailed = 255;

    /// <summary>In characters; more is not printed.</summary>
    private const int MostWords = 4 * 1024;

    private const StringComparison Comparison = StringComparison.Ordinal;

    /// <summary>What a shell, and .NET, adds to the number of the signal; <c>zfs</c> itself ends with 1 or 2.</summary>
    private const int KilledBySignal = 128;

    /// <summary>SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS (signal(7)).</summary>
    private static readonly int[] SignalsOfCrashes = [4, 5, 6, 7, 8, 11, 31];

    /// <summary>
    /// How messages of <c>zfs</c> begin in the C locale: libzfs_util.c (zfs_verror), libzfs_sendrecv.c, zfs_main.c.
    /// Those of ssh begin otherwise, or with a capital letter.
    /// </summary>
    private static readonly string[] WordsOfZfs = ["cannot ", "warning: cannot ", "internal error", "invalid "];

    private const string SuspendedWords = "I/O is currently suspended";

    private static readonly string[] CurableWords =
    [
        "permission denied",
        "key must be loaded",
        "key not loaded",
        SuspendedWords,
        "no such pool",
        "out of memory",
    ];

    public IReadOnlyList<string> Arguments { get; } = arguments;

    /// <summary>Exit code of the command; 128 + signal if it was killed.</summary>
    public int CommandExitCode { get; } = exitCode;

    public string StandardError { get; } = standardError;

    /// <summary>
    /// Whether ZFS refuses for a reason outside of what the command names, which somebody can change: a permission, a
    /// key, the pool's devices. The same command may succeed then.
    /// </summary>
    public bool IsCurable { get; } =
        CurableWords.Any(words => standardError.Contains(words, StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether the pool is suspended: it answers nothing until its devices are back.</summary>
    public bool IsSuspended { get; } = standardError.Contains(SuspendedWords, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether a dataset or device was in use at that moment.</summary>
    public bool IsBusy { get; } = standardError.Contains("is busy", StringComparison.Ordinal);

    /// <summary>Whether the pool or a quota is full.</summary>
    public bool IsOutOfSpace { get; } =
        standardError.Contains("out of space", StringComparison.Ordinal)
        || standardError.Contains("quota exceeded", StringComparison.Ordinal);

    /// <summary>How it ended.</summary>
    public ZfsEnd End { get; } = EndOf(exitCode, standardError, remote);

    /// <summary>
    /// Whether it came to its end, so that it did what it does not say that it refuses. <c>zfs</c> ends with 1 or 2, or
    /// with libzfs's -1; but 255 is also what ssh ends with if the connection breaks or a signal ends the command.
    /// </summary>
    internal bool IsComplete { get; } =
        standardError.Length < ZfsProcess.MaxErrorLength
        && (exitCode is 1 or 2 || (exitCode == SshFailed && remote is null));

    private static ZfsEnd EndOf(int exitCode, string standardError, ZfsRemoteHost? remote)
    {
        if (exitCode == SshFailed)
        {
            if (remote is null || IsOfZfs(standardError))
                return ZfsEnd.Refused;
            // ssh says why a connection broke; it says nothing if a signal ended the command on the other machine.
            return string.IsNullOrWhiteSpace(standardError) ? ZfsEnd.Killed : ZfsEnd.Disconnected;
        }

        if (exitCode <= KilledBySignal)
            return ZfsEnd.Refused;
        return SignalsOfCrashes.Contains(exitCode - KilledBySignal) ? ZfsEnd.Crashed : ZfsEnd.Killed;
    }

    private static bool IsOfZfs(string standardError) =>
        standardError
            .Split('\n', StringSplitOptions.TrimEntries)
            .Any(line => WordsOfZfs.Any(words => line.StartsWith(words, Comparison)));

    private static string Describe(
        IReadOnlyList<string> command,
        int exitCode,
        string standardError,
        ZfsRemoteHost? remote
    )
    {
        var words = standardError.Trim();
        if (words.Length > MostWords)
            words = $"{words[..MostWords]}…";
        if (EndOf(exitCode, standardError, remote) == ZfsEnd.Disconnected)
            return $"ssh to {remote!.Destination} failed with exit code {exitCode}: {words}";
        var where = remote is null ? "" : $" on {remote.Destination}";
        var failed = string.Join(' ', command.Select(a => a.Contains(' ', Comparison) ? $"'{a}'" : a)) + where;
        return words.Length > 0
            ? $"{failed} failed with exit code {exitCode}: {words}"
            : $"{failed} failed with exit code {exitCode} and printed nothing";
    }

    private static string? FindRemedy(
        IReadOnlyList<string> arguments,
        int exitCode,
        string standardError,
        ZfsRemoteHost? remote
    ) =>
        EndOf(exitCode, standardError, remote) == ZfsEnd.Disconnected
            ? $"Check that 'ssh -o BatchMode=yes {remote!.Destination} zfs version' works as this user, without a "
                + "password."
            : ZfsRemedies.Find(standardError)?.Replace(" POOL", NamePool(arguments, standardError), Comparison);

    /// <returns>The pool that the failure is about, after a space; nothing if it is not known.</returns>
    private static string NamePool(IReadOnlyList<string> arguments, string standardError)
    {
        // zfs send -t names the snapshot only in its message: warning: cannot send 'tank/data@monday': …
        var quoted = standardError.Split('\'').Where((_, place) => place % 2 == 1);
        foreach (var name in arguments.Reverse().Take(1).Concat(quoted))
        {
            var end = name.IndexOfAny(['/', '@', '#']);
            if (end > 0)
                return $" {name[..end]}";
        }

        return "";
    }
}
