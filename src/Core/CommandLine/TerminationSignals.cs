using System.Globalization;
using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>
/// Ctrl-C, SIGTERM and the end of the terminal or ssh session (SIGHUP) cancel the command, which then has some time to
/// clean up. A signal that was ignored when the program started stays ignored: nohup, and <c>&amp;</c> in a script.
/// </summary>
internal sealed class TerminationSignals : IDisposable
{
    private const int Hangup = 1;
    private const int Interrupt = 2;

    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _received = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<PosixSignalRegistration> _registrations = [];

    public TerminationSignals()
    {
        var ignored = ReadIgnored();
        Register(PosixSignal.SIGTERM, Core.ExitCode.Terminated);
        if ((ignored & MaskOf(Hangup)) == 0)
            Register(PosixSignal.SIGHUP, Core.ExitCode.HungUp);
        if ((ignored & MaskOf(Interrupt)) == 0)
            Register(PosixSignal.SIGINT, Core.ExitCode.Interrupted);
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _stop.Token;

    /// <summary>The exit code of a command that a signal ended; null: none has arrived.</summary>
    public ExitCode? ExitCode { get; private set; }

    /// <summary>Completes when a signal arrived and the time to clean up is over.</summary>
    public async Task WaitUntilOverdueAsync(TimeSpan cleanUpTime)
    {
        await _received.Task;
        await Task.Delay(cleanUpTime, CancellationToken.None);
    }

    public void Dispose()
    {
        _registrations.ForEach(registration => registration.Dispose());
        _stop.Dispose();
    }

    private void Register(PosixSignal signal, ExitCode exitCode) =>
        _registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                ExitCode ??= exitCode;
                _received.TrySetResult();
                _stop.Cancel();
            }));

    private static ulong MaskOf(int signal) => 1UL << (signal - 1);

    /// <summary>Signals that are ignored, as the kernel shows them (proc(5), SigIgn).</summary>
    private static ulong ReadIgnored()
    {
        const string Field = "SigIgn:";
        try
        {
            var line = File.ReadLines("/proc/self/status")
                .First(text => text.StartsWith(Field, StringComparison.Ordinal));
            return ulong.Parse(line[Field.Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            return 0; // without /proc
        }
    }
}
