using System.ComponentModel;
using System.Diagnostics;
using System.IO.Pipes;
using System.Text;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// A running <c>zfs</c> command whose output or input is a stream. Disposing it ends the command if it still runs.
/// </summary>
public sealed class ZfsProcess : IAsyncDisposable
{
    /// <summary>ZFS's messages are short; what a runaway command says beyond this is dropped.</summary>
    private const int MaxErrorLength = 16 * 1024;

    /// <summary>
    /// How long what an ended command said may still be on its way. Its pipe need not end with it: where ssh shares a
    /// connection (ControlMaster), the process that holds that has the pipe as well, and keeps it when ssh is killed.
    /// </summary>
    private static readonly TimeSpan LastWordsPatience = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Waits for a line, and then becomes the command: same process, same exit code. What a terminal or systemd sends
    /// to all processes at once is for this program alone, which ends the command then; else that would look as if it
    /// had failed.
    /// </summary>
    private const string Gate = "trap '' INT TERM HUP; read _ && exec \"$0\" \"$@\"";

    private readonly IReadOnlyList<string> _arguments;
    private readonly Process _process;
    private readonly StringBuilder _standardError = new();
    private readonly Task _readingError;

    private ZfsProcess(IReadOnlyList<string> arguments, Process process)
    {
        _arguments = arguments;
        _process = process;
        _readingError = ReadErrorAsync();
    }

    /// <summary>The command's standard output, as bytes.</summary>
    public Stream Output => _process.StandardOutput.BaseStream;

    /// <summary>The command's standard input, as bytes.</summary>
    public Stream Input => _process.StandardInput.BaseStream;

    /// <summary>
    /// Where all <c>zfs</c> commands of this program run; null: on this machine. Set once, from the settings.
    /// </summary>
    public static ZfsRemoteHost? RemoteHost { get; set; }

    /// <exception cref="OperationException">There is no <c>zfs</c> command.</exception>
    public static ZfsProcess Start(IReadOnlyList<string> arguments)
    {
        var (program, all) = Locate("zfs", arguments);
        return Start(arguments, program, all);
    }

    /// <summary>Starts another program on the machine where <c>zfs</c> runs.</summary>
    internal static ZfsProcess StartOther(string name, IReadOnlyList<string> arguments)
    {
        var (program, all) = Locate(name, arguments);
        return Start(arguments, program, all);
    }

    /// <summary>
    /// Starts a command whose output is long: its pipe holds 1 MiB, so that it seldom waits for its reader.
    /// </summary>
    /// <remarks>
    /// The pipe gets its size before the command runs: OpenZFS warns of a deadlock in the kernel where a pipe that
    /// holds data is resized (lib/libzfs/libzfs_util.c, libzfs_set_pipe_max).
    /// </remarks>
    /// <exception cref="OperationException">There is no <c>zfs</c> command.</exception>
    public static ZfsProcess StartSending(IReadOnlyList<string> arguments)
    {
        var (program, all) = Locate("zfs", arguments);
        if (!File.Exists(program))
            throw NotFound("it is not there");
        var process = Start(arguments, "/bin/sh", ["-c", Gate, program, .. all]);
        if (process.Output is PipeStream pipe)
            PipeSize.Raise(pipe.SafePipeHandle);
        try
        {
            process.Input.WriteByte((byte)'\n');
            process.Input.Close();
        }
        catch (IOException)
        {
            // It was killed while it waited: its exit code tells, like that of a command that is killed later.
        }

        return process;
    }

    /// <summary>Ends the command, and with it its output, if it still runs.</summary>
    public void Kill()
    {
        if (!_process.HasExited)
            _process.Kill();
    }

    /// <summary>Waits for the end; only an exit code of 0 is a success.</summary>
    /// <exception cref="ZfsException">The command failed or was killed.</exception>
    public async Task WaitForSuccessAsync(CancellationToken cancellationToken)
    {
        await _process.WaitForExitAsync(cancellationToken);
        if (_process.ExitCode != 0)
            throw new ZfsException(_arguments, _process.ExitCode, await GetLastWordsAsync(), RemoteHost);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
        }

        _process.Dispose();
    }

    private static ZfsProcess Start(
        IReadOnlyList<string> arguments,
        string program,
        IEnumerable<string> programArguments
    )
    {
        var start = new ProcessStartInfo(program, programArguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment["LC_ALL"] = "C"; // ZFS's messages are compared with known ones
        try
        {
            return new ZfsProcess(arguments, Process.Start(start)!);
        }
        catch (Win32Exception e)
        {
            throw NotFound(e.Message, e);
        }
    }

    private static OperationException NotFound(string why, Exception? e = null) =>
        RemoteHost is null
            ? new(
                ExitCode.Zfs,
                $"The command 'zfs' cannot be started: {why}",
                "Install ZFS (on Debian: zfsutils-linux) and see that 'zfs' is in PATH.",
                e
            )
            : new(
                ExitCode.Zfs,
                $"The command 'ssh' cannot be started: {why}",
                "ZFS_SSH_HOST needs it: install it (on Debian: openssh-client).",
                e
            );

    private static (string Program, IReadOnlyList<string> Arguments) Locate(
        string name,
        IReadOnlyList<string> arguments
    ) => RemoteHost is { } host ? (FindProgram("ssh"), host.Wrap(name, arguments)) : (FindProgram(name), arguments);

    /// <summary>
    /// On many systems <c>zfs</c> is where only root's PATH leads to, yet other users may run it where it is delegated
    /// to them.
    /// </summary>
    private static string FindProgram(string name)
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(
            ':',
            StringSplitOptions.RemoveEmptyEntries
        );
        return folders
            .Concat(["/usr/sbin", "/sbin", "/usr/local/sbin"])
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists)
            ?? name;
    }

    private async Task ReadErrorAsync()
    {
        var buffer = new char[1024];
        int count;
        while ((count = await _process.StandardError.ReadAsync(buffer)) > 0)
        {
            lock (_standardError)
                _standardError.Append(buffer, 0, Math.Min(count, MaxErrorLength - _standardError.Length));
        }
    }

    private async Task<string> GetLastWordsAsync()
    {
        await Task.WhenAny(_readingError, Task.Delay(LastWordsPatience));
        lock (_standardError)
            return _standardError.ToString();
    }
}
