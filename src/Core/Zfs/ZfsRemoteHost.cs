using System.Diagnostics.CodeAnalysis;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// Another machine on which <c>zfs</c> runs, reached by the system's ssh: one that cannot run these programs itself,
/// such as an appliance.
/// </summary>
/// <param name="Destination">As ssh takes it: <c>host</c> or <c>user@host</c>. Port, key and the like stand in ssh's
/// own configuration.</param>
public sealed record ZfsRemoteHost(string Destination)
{
    /// <summary>
    /// What the far shell runs. ssh joins its arguments with spaces and hands them to a shell, so that each is quoted;
    /// and <c>zfs</c> is often where only root's PATH leads to.
    /// </summary>
    private const string Script = "LC_ALL=C PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin exec \"$0\" \"$@\"";

    /// <summary>
    /// No questions: nobody may be there to answer. A connection that is dead is noticed within a minute, so that
    /// nothing waits for ever.
    /// </summary>
    private static readonly string[] Options =
    [
        "-T",
        "-o",
        "BatchMode=yes",
        "-o",
        "ConnectTimeout=20",
        "-o",
        "ServerAliveInterval=15",
        "-o",
        "ServerAliveCountMax=4",
    ];

    /// <exception cref="FormatException">No host is called so.</exception>
    public static ZfsRemoteHost Parse(string text) =>
        TryParse(text, out var host) ? host : throw new FormatException("it must look like host or user@host");

    public static bool TryParse(string text, [NotNullWhen(true)] out ZfsRemoteHost? host)
    {
        var right =
            text.Length is > 0 and <= 255
            && text[0] != '-'
            && text.Count(c => c == '@') <= 1
            && text.Split('@').All(part => part.Length > 0 && part[0] != '-')
            && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or ':' or '@');
        host = right ? new ZfsRemoteHost(text) : null;
        return right;
    }

    /// <summary>The arguments of ssh that run a program there.</summary>
    internal string[] Wrap(string program, IEnumerable<string> arguments) =>
        [
            .. Options,
            "--",
            Destination,
            string.Join(' ', ((string[])["exec", "/bin/sh", "-c", Script, program, .. arguments]).Select(Quote)),
        ];

    /// <summary>
    /// For any shell of the Bourne family and csh: nothing within single quotes means anything, but for the quote
    /// itself.
    /// </summary>
    private static string Quote(string argument) =>
        argument.Length > 0
        && argument.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '-' or '_' or '.' or ',' or ':' or '@')
            ? argument
            : $"'{argument.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
