using System.IO.Pipes;
using System.Text;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// The machine on which <c>zfs</c> runs: this one, or another one that is reached by ssh. Starts <c>zfs</c> commands
/// there. Immutable, and safe for use by several threads.
/// </summary>
public sealed class ZfsHost
{
    /// <summary>
    /// Becomes the command: same process, same exit code. A signal that a terminal or systemd sends to the whole
    /// process group is for this program alone, which then ends the command. Without the trap the command would be
    /// killed at the same moment: that would look like a failure of its own, and <c>zfs receive</c> would lose what it
    /// has not recorded yet.
    /// </summary>
    private const string Shield = "trap '' INT TERM HUP; exec \"$0\" \"$@\"";

    /// <summary>The same, but waits for a line first.</summary>
    private const string Gate = "trap '' INT TERM HUP; read _ && exec \"$0\" \"$@\"";

    private const string Shell = "/bin/sh";

    /// <summary>The command's name.</summary>
    internal const string Zfs = "zfs";

    private static readonly UTF8Encoding Text = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Where programs are looked for before the directories of PATH.</summary>
    private readonly string[] _programs;

    /// <param name="remote">Null: this machine.</param>
    public ZfsHost(ZfsRemoteHost? remote)
        : this(remote, []) { }

    /// <param name="programs">Directories of the <c>zfs</c> and <c>ssh</c> of a test.</param>
    internal ZfsHost(ZfsRemoteHost? remote, params string[] programs)
    {
        Remote = remote;
        _programs = programs;
    }

    /// <summary>The same host for a server: commands without a stream are given up after a time.</summary>
    public ZfsHost WithTimeout(TimeSpan most) => new(Remote, _programs) { Patience = new ZfsPatience(most) };

    /// <summary>Null: commands may take any time.</summary>
    private ZfsPatience? Patience { get; init; }

    /// <summary>This machine.</summary>
    public static ZfsHost Local { get; } = new(null);

    /// <summary>How the other machine is reached; null: it is this machine.</summary>
    public ZfsRemoteHost? Remote { get; }

    /// <summary>Starts a command whose input or output is a stream.</summary>
    /// <exception cref="OperationException"><c>zfs</c>, or <c>ssh</c>, cannot be started.</exception>
    public ZfsProcess Start(IReadOnlyList<string> arguments)
    {
        var (program, all) = Locate(Zfs, arguments);
        return ZfsProcess.Start(this, arguments, Shell, ["-c", Shield, program, .. all]);
    }

    /// <summary>
    /// Starts a command whose output is long: its pipe holds 1 MiB, so that it seldom waits for its reader.
    /// </summary>
    /// <remarks>
    /// The pipe gets its size before the command runs: OpenZFS warns of a deadlock in the kernel if a pipe that
    /// holds data is resized (lib/libzfs/libzfs_util.c, libzfs_set_pipe_max).
    /// </remarks>
    /// <exception cref="OperationException"><c>zfs</c>, or <c>ssh</c>, cannot be started.</exception>
    public ZfsProcess StartSending(IReadOnlyList<string> arguments)
    {
        var (program, all) = Locate(Zfs, arguments);
        var process = ZfsProcess.Start(this, arguments, Shell, ["-c", Gate, program, .. all]);
        if (process.OutputPipe is PipeStream pipe)
            PipeSize.Raise(pipe.SafePipeHandle);
        OpenGate(process);
        return process;
    }

    /// <summary>Lets a command that waits at the gate begin.</summary>
    internal static void OpenGate(ZfsProcess process)
    {
        try
        {
            process.Input.WriteByte((byte)'\n');
            process.Input.Close();
        }
        catch (IOException)
        {
            // It was killed while it waited: its exit code reports that, as for a command that is killed later.
        }
    }

    /// <summary>Runs a <c>zfs</c> command whose output is short.</summary>
    /// <returns>What the command printed.</returns>
    /// <exception cref="ZfsException">The command failed.</exception>
    public Task<string> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        Patience?.Demand(this, arguments);
        var process = Start(arguments);
        var work = ReadAsync(process, cancellationToken);
        return Patience is null ? work : Patience.WaitAsync(this, arguments, process, work, cancellationToken);
    }

    /// <summary>Runs a <c>zfs</c> command that is given <c>-H</c>.</summary>
    /// <returns>The rows that it printed, each with its columns.</returns>
    /// <exception cref="ZfsException">The command failed.</exception>
    public async Task<IEnumerable<string[]>> RunTableAsync(
        IReadOnlyList<string> arguments,
        CancellationToken cancellationToken
    )
    {
        var text = await RunAsync(arguments, cancellationToken);
        return text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t'));
    }

    /// <summary>
    /// Runs a command for many names, as several commands if one cannot hold them. Names that ZFS refuses, such as
    /// those of datasets that were destroyed a moment ago, do not keep it from doing the others.
    /// </summary>
    /// <param name="arguments">The command and its options.</param>
    /// <param name="names">Names of datasets or snapshots.</param>
    /// <param name="read">Gets each row that the commands print, with its columns.</param>
    /// <exception cref="ZfsException">A command failed, and not by single names; or it was cut off, so that nobody
    /// knows which of the names it did.</exception>
    public async Task<ZfsRefusals> RunForAllAsync(
        IReadOnlyList<string> arguments,
        IEnumerable<string> names,
        Action<string[]> read,
        CancellationToken cancellationToken
    )
    {
        var refusals = new ZfsRefusals();
        foreach (var some in NameBatches.Split(names, NameBatches.OneArgument))
        {
            try
            {
                await ReadRowsAsync(Start([.. arguments, .. some]), read, cancellationToken);
            }
            catch (ZfsException e) when (e.IsComplete && ZfsErrorLines.Read(e.StandardError) is { Count: > 0 } lines)
            {
                Add(refusals, arguments, e, lines);
            }
        }

        return refusals;
    }

    /// <summary>
    /// The same for a command that prints nothing, and that does nothing to a name for which it was run before. If it
    /// ends so that nobody knows which of the names it did, it is run for each of them: <c>zfs set</c> may end with 255
    /// (libzfs's -1), as an ssh does whose connection broke.
    /// </summary>
    /// <exception cref="ZfsException">A command failed, and not by single names.</exception>
    public async Task<ZfsRefusals> RunForAllAsync(
        IReadOnlyList<string> arguments,
        IEnumerable<string> names,
        CancellationToken cancellationToken
    )
    {
        var refusals = new ZfsRefusals();
        foreach (var some in NameBatches.Split(names, NameBatches.OneArgument))
            await RunForSomeAsync(arguments, some, refusals, cancellationToken);
        return refusals;
    }

    private async Task RunForSomeAsync(
        IReadOnlyList<string> arguments,
        IReadOnlyList<string> names,
        ZfsRefusals refusals,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await RunAsync([.. arguments, .. names], cancellationToken);
        }
        catch (ZfsException e)
            when (e.End == ZfsEnd.Refused && ZfsErrorLines.Read(e.StandardError) is { Count: > 0 } lines)
        {
            if (e.IsComplete || names.Count == 1)
            {
                Add(refusals, arguments, e, lines);
                return;
            }

            foreach (var name in names)
                await RunForSomeAsync(arguments, [name], refusals, cancellationToken);
        }
    }

    private void Add(
        ZfsRefusals refusals,
        IReadOnlyList<string> arguments,
        ZfsException e,
        IEnumerable<(string Name, string Line)> lines
    )
    {
        foreach (var (name, line) in lines)
            refusals.Add(name, new ZfsException([.. arguments, name], e.CommandExitCode, line, Remote));
    }

    /// <summary>
    /// Runs one command for many names: more than an argument of ssh can hold are passed by its standard input.
    /// </summary>
    /// <exception cref="ZfsException">The command failed.</exception>
    public Task<string> RunForAllAtOnceAsync(
        IReadOnlyList<string> arguments,
        IReadOnlyList<string> names,
        CancellationToken cancellationToken
    )
    {
        if (Remote is null || NameBatches.Length(names) <= NameBatches.OneArgument)
            return RunAsync([.. arguments, .. names], cancellationToken);
        var process = ZfsProcess.Start(
            this,
            [.. arguments, $"({names.Count} names)"],
            Shell,
            ["-c", Shield, FindProgram("ssh"), .. Remote.WrapForNames(Zfs, arguments)]
        );
        return ReadAsync(process, cancellationToken, ZfsRemoteHost.NamesAsInput(names));
    }

    /// <summary>Runs a program other than <c>zfs</c> on the machine where <c>zfs</c> runs.</summary>
    public Task<string> RunOtherAsync(string name, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var (program, all) = Locate(name, arguments);
        return ReadAsync(
            ZfsProcess.Start(this, arguments, Shell, ["-c", Shield, program, .. all], name),
            cancellationToken
        );
    }

    /// <summary>Whether a path exists on the machine where <c>zfs</c> runs.</summary>
    public async Task<bool> PathExistsAsync(string path, CancellationToken cancellationToken)
    {
        if (Remote is null)
            return Path.Exists(path);
        try
        {
            await RunOtherAsync("test", ["-e", path], cancellationToken);
            return true;
        }
        catch (ZfsException e) when (e.CommandExitCode == 1)
        {
            return false;
        }
    }

    /// <summary>
    /// The versions of the command and of the kernel module, and the other machine's name if they run there;
    /// human-readable.
    /// </summary>
    public async Task<string> GetVersionAsync(CancellationToken cancellationToken)
    {
        var lines = (await RunAsync(["version"], cancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return string.Join(", ", lines) + (Remote is null ? "" : $", on {Remote.Destination}");
    }

    /// <summary>The failure to start a command.</summary>
    internal OperationException CannotStart(string name, string why, Exception? e = null)
    {
        var (program, remedy) = (Remote, name) switch
        {
            (not null, _) => ("ssh", "ZFS_SSH_HOST needs ssh: install it (on Debian: openssh-client)."),
            (_, Zfs) => (Zfs, "Install ZFS (on Debian: zfsutils-linux) and check that 'zfs' is in PATH."),
            _ => (name, $"Install it, and check that '{name}' is in PATH."),
        };
        return new OperationException(ExitCode.Zfs, $"The command '{program}' cannot be started: {why}", remedy, e);
    }

    /// <summary>What looks like a byte order mark is part of a value.</summary>
    private static StreamReader NewReader(ZfsProcess process) =>
        new(process.Output, Text, detectEncodingFromByteOrderMarks: false);

    private static async Task ReadRowsAsync(
        ZfsProcess started,
        Action<string[]> read,
        CancellationToken cancellationToken
    )
    {
        await using var process = started;
        process.Input.Close();
        using var reader = NewReader(process);
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.Length > 0)
                read(line.Split('\t'));
        }

        await process.WaitForSuccessAsync(cancellationToken);
    }

    private static async Task<string> ReadAsync(
        ZfsProcess started,
        CancellationToken cancellationToken,
        byte[]? input = null
    )
    {
        await using var process = started;
        await process.WriteInputAsync(input ?? [], cancellationToken);
        using var reader = NewReader(process);
        var text = await reader.ReadToEndAsync(cancellationToken);
        await process.WaitForSuccessAsync(cancellationToken);
        return text;
    }

    /// <exception cref="OperationException">The program is not installed.</exception>
    private (string Program, IReadOnlyList<string> Arguments) Locate(string name, IReadOnlyList<string> arguments)
    {
        var program = FindProgram(Remote is null ? name : "ssh");
        if (!File.Exists(program))
            throw CannotStart(name, "it was not found");
        return (program, Remote is null ? arguments : Remote.Wrap(name, arguments));
    }

    /// <summary>
    /// On many systems <c>zfs</c> is in a directory that only root's PATH has, yet other users may run it if rights
    /// are delegated to them.
    /// </summary>
    private string FindProgram(string name)
    {
        var directories = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(
            ':',
            StringSplitOptions.RemoveEmptyEntries
        );
        return _programs
            .Concat(directories)
            .Concat(["/usr/sbin", "/sbin", "/usr/local/sbin"])
            .Select(directory => Path.Combine(directory, name))
            .FirstOrDefault(File.Exists)
            ?? name;
    }
}
