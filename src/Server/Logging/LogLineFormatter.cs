using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using ZfsSnapshotManager.Core;

namespace ZfsSnapshotManager.Server.Logging;

/// <summary>
/// Writes a log entry as one line: <c>2026-01-31T12:00:00Z warn: CATEGORY: MESSAGE</c>. The framework's own formatter
/// adds an event id to the category, which for LoggerMessage methods without one is a hash of their name.
/// </summary>
/// <param name="time">Null: lines have no timestamp.</param>
/// <param name="colors">Whether the level is colored, for a terminal.</param>
internal sealed class LogLineFormatter(TimeProvider? time, bool colors) : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "line";

    /// <summary>Ends the colors of a level.</summary>
    private const string Reset = "\e[39m\e[22m\e[49m";

    public override void Write<TState>(
        in LogEntry<TState> logEntry,
        IExternalScopeProvider? scopeProvider,
        TextWriter textWriter
    )
    {
        if (time is not null)
            textWriter.Write(time.GetUtcNow().ToString(Timestamps.LogFormat, CultureInfo.InvariantCulture));
        var (level, color) = Describe(logEntry.LogLevel);
        textWriter.Write(colors ? $"{color}{level}{Reset}" : level);
        textWriter.Write(": ");
        textWriter.Write(logEntry.Category);
        textWriter.Write(": ");
        textWriter.Write(OneLine(logEntry.Formatter(logEntry.State, logEntry.Exception)));
        if (logEntry.Exception is { } exception)
        {
            textWriter.Write(' ');
            textWriter.Write(OneLine(exception.ToString()));
        }

        textWriter.Write('\n');
    }

    /// <summary>Names in messages may come from streams and requests.</summary>
    private static string OneLine(string text) => TerminalText.CleanLine(text.ReplaceLineEndings(" "));

    /// <summary>The words and colors of the framework's own formatter.</summary>
    private static (string Level, string Color) Describe(LogLevel level) =>
        level switch
        {
            LogLevel.Trace => ("trce", "\e[40m\e[37m"),
            LogLevel.Debug => ("dbug", "\e[40m\e[37m"),
            LogLevel.Information => ("info", "\e[40m\e[32m"),
            LogLevel.Warning => ("warn", "\e[40m\e[1m\e[33m"),
            LogLevel.Error => ("fail", "\e[41m\e[30m"),
            _ => ("crit", "\e[41m\e[1m\e[37m"),
        };
}
