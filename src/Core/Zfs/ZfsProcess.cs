using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// A running <c>zfs</c> command whose output or input is a stream; <see cref="ZfsHost"/> starts it. Disposing it ends
/// the command if it still runs.
/// </summary>
public sealed class ZfsProcess : IAsyncDisposable
{
    /// <summary>
    /// In characters. A command for many names prints a line for each that it refuses, and all of them are needed
    /// (<see cref="ZfsErrorLines"/>); what a runaway command prints beyond this is dropped.
    /// </summary>
    internal const int MaxErrorLength = 4 * 1024 * 1024;

    /// <summary>
    /// How long to wait for the rest of an ended command's error output. Its pipe need not end with it: if ssh shares
    /// a connection (ControlMaster), the process that holds the connection has the pipe as well, and keeps it when ssh
    /// is killed.
    /// </summary>
    private static readonly TimeSpan LastWordsPatience = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long a killed command may take to end. One that waits in the kernel for a suspended pool (state D) ends
    /// only with that: its caller must not wait for it.
    /// </summary>
    private static readonly TimeSpan KillPatience = TimeSpan.FromSeconds(20);

    private readonly ZfsHost _host;
    private readonly string _name;
    private readonly IReadOnlyList<string> _arguments;
    private readonly Process _process;
    private readonly StringBuilder _standardError = new();
    private readonly Task _readingError;

    private ZfsProcess(ZfsHost host, string name, IReadOnlyList<string> arguments, Process process)
    {
        _host = host;
        _name = name;
        _arguments = arguments;
        _process = process;
        Output = host.Remote is { } remote ? new RemoteOutput(OutputPipe, remote) : OutputPipe;
        _readingError = ReadErrorAsync();
    }

    /// <summary>The command's standard output, as bytes.</summary>
    public Stream Output { get; }

    /// <summary>Where it comes from: a pipe.</summary>
    internal Stream OutputPipe => _process.StandardOutput.BaseStream;

    /// <summary>The command's standard input, as bytes.</summary>
    public Stream Input => _process.StandardInput.BaseStream;

    /// <param name="host">Where it runs.</param>
    /// <param name="arguments">Those of the command, for the message if it fails.</param>
    /// <param name="program">What is started on this machine.</param>
    /// <param name="programArguments">Its arguments.</param>
    /// <param name="name">The command, for the message.</param>
    /// <exception cref="OperationException">The program cannot be started.</exception>
    internal static ZfsProcess Start(
        ZfsHost host,
        IReadOnlyList<string> arguments,
        string program,
        IEnumerable<string> programArguments,
        string name = ZfsHost.Zfs
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
            return new ZfsProcess(host, name, arguments, Process.Start(start)!);
        }
        catch (Win32Exception e)
        {
            throw host.CannotStart(name, e.Message, e);
        }
    }

    /// <summary>Writes all of the command's standard input, and ends it.</summary>
    internal async Task WriteInputAsync(byte[] input, CancellationToken cancellationToken)
    {
        try
        {
            if (input.Length > 0)
                await Input.WriteAsync(input, cancellationToken);
            Input.Close();
        }
        catch (IOException)
        {
            // The command ended without it: its exit code reports that.
        }
    }

    /// <summary>Ends the command, and with it its output, if it still runs.</summary>
    public void Kill()
    {
        try
        {
            if (!_process.HasExited)
                _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has just ended and was disposed.
        }
    }

    /// <summary>Waits for the end; only an exit code of 0 is a success.</summary>
    /// <exception cref="ZfsException">The command failed or was killed.</exception>
    public async Task WaitForSuccessAsync(CancellationToken cancellationToken)
    {
        await _process.WaitForExitAsync(cancellationToken);
        if (_process.ExitCode != 0)
            throw new ZfsException(_arguments, _process.ExitCode, await GetLastWordsAsync(), _host.Remote, _name);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process
                .WaitForExitAsync(CancellationToken.None)
                .WaitAsync(KillPatience)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _process.Dispose();
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
