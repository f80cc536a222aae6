namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>A <c>zfs</c> command that failed, with ZFS's own message.</summary>
public sealed class ZfsException(
    IReadOnlyList<string> arguments,
    int exitCode,
    string standardError,
    ZfsRemoteHost? remote = null
)
    : OperationException(
        Core.ExitCode.Zfs,
        Describe(arguments, exitCode, standardError, remote),
        FindRemedy(exitCode, standardError, remote)
    )
{
    /// <summary>The exit code of ssh itself if the connection fails (ssh(1)).</summary>
    private const int SshFailed = 255;

    /// <summary>What a shell, and .NET, adds to the number of the signal; <c>zfs</c> itself ends with 1 or 2.</summary>
    private const int KilledBySignal = 128;

    public IReadOnlyList<string> Arguments { get; } = arguments;

    /// <summary>Exit code of the command; 128 + signal if it was killed.</summary>
    public int CommandExitCode { get; } = exitCode;

    public string StandardError { get; } = standardError;

    /// <summary>
    /// Whether the command was killed, or its ssh connection broke or could not be made. That says nothing about the
    /// dataset, and the same command may succeed later.
    /// </summary>
    public bool WasCutOff => CommandExitCode > KilledBySignal;

    private static string Describe(
        IReadOnlyList<string> arguments,
        int exitCode,
        string standardError,
        ZfsRemoteHost? remote
    )
    {
        var command = string.Join(' ', arguments.Select(a => a.Contains(' ', StringComparison.Ordinal) ? $"'{a}'" : a));
        var where = remote is null ? "" : $" on {remote.Destination}";
        var words = standardError.Trim();
        return words.Length > 0
            ? $"zfs {command}{where} failed with exit code {exitCode}: {words}"
            : $"zfs {command}{where} failed with exit code {exitCode} and printed nothing";
    }

    private static string? FindRemedy(int exitCode, string standardError, ZfsRemoteHost? remote) =>
        remote is not null && exitCode == SshFailed
            ? $"Check that 'ssh -o BatchMode=yes {remote.Destination} zfs version' works as this user, without a "
                + "password."
            : ZfsRemedies.Find(standardError);
}
