using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// Another machine on which <c>zfs</c> runs, reached by the system's ssh: one that cannot run these programs, such as
/// an appliance.
/// </summary>
/// <param name="Destination">As ssh expects it: <c>host</c> or <c>user@host</c>. Port, key and the like belong in ssh's
/// own configuration.</param>
public sealed record ZfsRemoteHost(string Destination)
{
    /// <summary>
    /// What the shell of the other machine runs. ssh joins its arguments with spaces and passes them to a shell, so
    /// each is quoted. <c>zfs</c> is often in a directory that only root's PATH has.
    /// </summary>
    private const string Script = "LC_ALL=C PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin exec \"$0\" \"$@\"";

    /// <summary>
    /// The same for names that come by standard input, a line each: Linux allows a single argument 128 KiB
    /// (MAX_ARG_STRLEN, include/uapi/linux/binfmts.h), and what ssh passes to the shell is one. The last line is a dot:
    /// without it the connection broke, and the command must not run for some of the names.
    /// </summary>
    private const string NamesScript =
        "names=$(cat); case $names in *'\n.') ;; *) exit 255 ;; esac; IFS='\n'; set -f; "
        + "LC_ALL=C PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin; export LC_ALL PATH; "
        + "exec \"$0\" \"$@\" ${names%??}";

    /// <summary>Runs what <see cref="Encode"/> encoded.</summary>
    private const string Decode = "eval \"$(printf %b \"$0\")\"";

    /// <summary>
    /// BatchMode: ssh must not ask for a password, since nobody may be present to answer. ServerAlive: a dead
    /// connection is noticed within a minute; otherwise a command would wait for it forever.
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

    /// <exception cref="FormatException">It is not a host.</exception>
    public static ZfsRemoteHost Parse(string text) =>
        TryParse(text, out var host) ? host : throw new FormatException("it must look like host or user@host");

    public static bool TryParse(string text, [NotNullWhen(true)] out ZfsRemoteHost? host)
    {
        var isHost =
            text.Length is > 0 and <= 255
            && text[0] != '-'
            && text.Count(c => c == '@') <= 1
            && text.Split('@').All(part => part.Length > 0 && part[0] != '-')
            && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or ':' or '@');
        host = isHost ? new ZfsRemoteHost(text) : null;
        return isHost;
    }

    /// <summary>The arguments of ssh that run a program there.</summary>
    internal string[] Wrap(string program, IEnumerable<string> arguments) => Wrap(Script, program, arguments);

    /// <summary>
    /// The arguments of ssh that run a program there for the names that <see cref="NamesAsInput"/> has.
    /// </summary>
    internal string[] WrapForNames(string program, IEnumerable<string> arguments) =>
        Wrap(NamesScript, program, arguments);

    internal static byte[] NamesAsInput(IEnumerable<string> names) =>
        Encoding.UTF8.GetBytes(string.Concat(names.Append(".").Select(name => name + "\n")));

    /// <summary><see cref="RemoteOutput"/> expects the mark before the output of the program.</summary>
    private string[] Wrap(string script, string program, IEnumerable<string> arguments)
    {
        var line = Join(["-c", $"echo {RemoteOutput.Mark}; {script}", program, .. arguments]);
        if (line.AsSpan().ContainsAny('\n', '!'))
            line = Join(["-c", Decode, Encode(line)]);
        return [.. Options, "--", Destination, line];
    }

    private static string Join(IEnumerable<string> arguments) =>
        string.Join(' ', arguments.Select(Quote).Prepend("exec /bin/sh"));

    /// <summary>
    /// What csh, the shell of many accounts of FreeBSD, changes even within single quotes: a line break ends the quoted
    /// word ("Unmatched"), and an exclamation mark recalls an earlier command ("Event not found").
    /// </summary>
    private static string Encode(string line) =>
        line.Replace(@"\", @"\0134", StringComparison.Ordinal)
            .Replace("\n", @"\0012", StringComparison.Ordinal)
            .Replace("!", @"\0041", StringComparison.Ordinal);

    /// <summary>
    /// Quotes for any shell of the Bourne family, and for csh if the argument has no line break and no exclamation
    /// mark: within single quotes only the quote itself has a meaning.
    /// </summary>
    private static string Quote(string argument) =>
        argument.Length > 0
        && argument.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '-' or '_' or '.' or ',' or ':' or '@')
            ? argument
            : $"'{argument.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
