using Spectre.Console;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>
/// Shows the progress of a transfer on standard error: a bar on a terminal, a line every ten seconds elsewhere, nothing
/// with --json or --quiet. Safe for use by several threads.
/// </summary>
public sealed class TransferProgress
{
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(10);

    private readonly TimeProvider _time;
    private readonly TextWriter _errors;
    private readonly ProgressTask? _bar;
    private readonly bool _lines;
    private readonly string _what;
    private readonly long _start;
    private readonly long _already;
    private readonly long? _expected;
    private readonly Lock _lock = new();
    private long _lastLine;
    private long _bytes;

    /// <param name="what">Its name.</param>
    /// <param name="already">Bytes that an earlier run transferred.</param>
    /// <param name="expected">Null if unknown.</param>
    /// <param name="bar">Null: lines, or nothing.</param>
    /// <param name="lines">Whether lines are written.</param>
    /// <param name="errors">Where they are written; null: standard error.</param>
    internal TransferProgress(
        string what,
        long already,
        long? expected,
        ProgressTask? bar,
        bool lines,
        TimeProvider time,
        TextWriter? errors = null
    )
    {
        _errors = errors ?? Console.Error;
        _what = what;
        _already = already;
        _bytes = already;
        _expected = expected;
        _bar = bar;
        _lines = lines;
        _time = time;
        _start = time.GetTimestamp();
        _lastLine = _start;
    }

    /// <summary>Runs a transfer that reports its bytes by <see cref="Add"/>.</summary>
    /// <param name="what">Its name, such as <c>tank/data@monday</c>.</param>
    /// <param name="expected">Expected bytes, exact or estimated; null if unknown.</param>
    /// <param name="output">Decides whether anything is shown.</param>
    /// <param name="transfer">The work; it may report from several threads.</param>
    /// <param name="already">Bytes that an earlier run transferred; they count as done, but not for the rate.</param>
    public static async Task<T> RunAsync<T>(
        string what,
        long? expected,
        Output output,
        Func<TransferProgress, Task<T>> transfer,
        long already = 0
    )
    {
        if (!output.ShowsProgress || Console.IsErrorRedirected)
        {
            return await transfer(
                new TransferProgress(what, already, expected, null, output.ShowsProgress, TimeProvider.System)
            );
        }

        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return await console
            .Progress()
            .Columns(
                new TaskDescriptionColumn(),
                new ProgressBarColumn(),
                new PercentageColumn(),
                new DownloadedColumn(),
                new TransferSpeedColumn(),
                new RemainingTimeColumn()
            )
            .StartAsync(async context =>
            {
                var bar = context.AddTask(Markup.Escape(what), maxValue: expected is > 0 ? expected.Value : 1);
                bar.IsIndeterminate = expected is not > 0;
                bar.Value = already;
                var result = await transfer(
                    new TransferProgress(what, already, expected, bar, lines: false, TimeProvider.System)
                );
                bar.Value = bar.MaxValue;
                return result;
            });
    }

    /// <summary>Counts transferred bytes. Never throws, since it is called in the middle of transfers.</summary>
    /// <param name="bytes">Negative for bytes that are transferred again.</param>
    public void Add(long bytes)
    {
        lock (_lock)
        {
            _bytes = (long)Int128.Clamp((Int128)_bytes + bytes, 0, long.MaxValue);
            if (_bar is not null)
                Show(_bar, _bytes);
            else
                WriteLine(() =>
                    TransferLine.Describe(_what, _bytes, _already, _expected, _time.GetElapsedTime(_start))
                );
        }
    }

    /// <summary>Shows why the transfer waits.</summary>
    /// <param name="why">Null: it continues.</param>
    public void Wait(string? why)
    {
        lock (_lock)
        {
            if (_bar is not null)
                _bar.Description = Markup.Escape(why is null ? _what : $"{_what}: {why}");
            else if (why is not null)
                WriteLine(() => $"{_what}: {why}");
        }
    }

    /// <summary>
    /// The bar never moves backwards: Spectre.Console (0.57.2, ProgressTask.GetRemainingTime) estimates the time left
    /// from its steps, and a negative speed can give a time that no TimeSpan holds.
    /// </summary>
    private static void Show(ProgressTask bar, long bytes)
    {
        // Estimates are often too low: the bar grows, so that it is not full while bytes still arrive.
        if (bytes > bar.MaxValue)
            bar.MaxValue = bytes;
        if (bytes > bar.Value)
            bar.Value = bytes;
    }

    private void WriteLine(Func<string> text)
    {
        if (!_lines || _time.GetElapsedTime(_lastLine) < LineInterval)
            return;
        _lastLine = _time.GetTimestamp();
        try
        {
            _errors.WriteLine(text());
        }
        catch (IOException)
        {
            // Standard error is a file on a full disk, for example. The transfer itself does not need it.
        }
    }
}
