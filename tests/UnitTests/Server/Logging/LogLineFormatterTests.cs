using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using ZfsSnapshotManager.Server.Logging;

namespace ZfsSnapshotManager.UnitTests.Server.Logging;

public sealed class LogLineFormatterTests
{
    private static readonly SetTime Clock = new(new DateTimeOffset(2026, 1, 31, 12, 0, 5, 700, TimeSpan.Zero));

    [Theory]
    [InlineData(LogLevel.Information, "info")]
    [InlineData(LogLevel.Warning, "warn")]
    [InlineData(LogLevel.Error, "fail")]
    [InlineData(LogLevel.Critical, "crit")]
    public void A_line_has_time_level_category_and_message_but_no_event_id(LogLevel level, string word) =>
        Assert.Equal(
            $"2026-01-31T12:00:05Z {word}: zfs-server: Serving on port 8080\n",
            Format(new LogLineFormatter(Clock, colors: false), level, "Serving on port 8080")
        );

    [Fact]
    public void Lines_of_commands_have_no_time() =>
        Assert.Equal(
            "warn: zfs-server: The disk is full\n",
            Format(new LogLineFormatter(time: null, colors: false), LogLevel.Warning, "The disk is full")
        );

    [Fact]
    public void An_entry_stays_on_one_line_with_its_exception()
    {
        var line = Format(
            new LogLineFormatter(Clock, colors: false),
            LogLevel.Error,
            "First\nsecond",
            new IOException("Third\r\nfourth")
        );
        Assert.Equal("2026-01-31T12:00:05Z fail: zfs-server: First second System.IO.IOException: Third fourth\n", line);
    }

    /// <summary>Names in messages come from streams and requests.</summary>
    [Fact]
    public void Control_characters_of_a_message_reach_no_terminal()
    {
        var line = Format(
            new LogLineFormatter(time: null, colors: false),
            LogLevel.Warning,
            "the snapshot is named 'a\e[2J\rb\u009b'",
            new IOException("\e]0;title\a")
        );

        Assert.DoesNotContain(line.TrimEnd('\n'), char.IsControl);
        Assert.StartsWith("warn: zfs-server: the snapshot is named 'a", line, StringComparison.Ordinal);
    }

    [Fact]
    public void On_a_terminal_only_the_level_is_colored()
    {
        var line = Format(new LogLineFormatter(time: null, colors: true), LogLevel.Error, "Failed");
        Assert.Equal("\e[41m\e[30mfail\e[39m\e[22m\e[49m: zfs-server: Failed\n", line);
    }

    private static string Format(LogLineFormatter formatter, LogLevel level, string message, Exception? e = null)
    {
        using var text = new StringWriter();
        var entry = new LogEntry<string>(
            level,
            "zfs-server",
            new EventId(2022877691, "LogServing"),
            message,
            e,
            (state, _) => state
        );
        formatter.Write(entry, scopeProvider: null, text);
        return text.ToString();
    }
}
