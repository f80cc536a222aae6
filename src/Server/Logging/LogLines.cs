using Microsoft.Extensions.Logging.Console;

namespace ZfsSnapshotManager.Server.Logging;

/// <summary>Logs to the console, one line for each entry.</summary>
internal static class LogLines
{
    /// <summary>To standard output, with timestamps: the server's log.</summary>
    public static ILoggingBuilder AddServerLines(this ILoggingBuilder logging)
    {
        logging.Services.AddSingleton<ConsoleFormatter>(services => new LogLineFormatter(
            services.GetRequiredService<TimeProvider>(),
            colors: !Console.IsOutputRedirected
        ));
        return logging.AddConsole(console => console.FormatterName = LogLineFormatter.FormatterName);
    }

    /// <summary>To standard error, without timestamps: standard output is for the results of commands.</summary>
    public static ILoggingBuilder AddCommandLines(this ILoggingBuilder logging)
    {
        logging.Services.AddSingleton<ConsoleFormatter>(
            new LogLineFormatter(time: null, colors: !Console.IsOutputRedirected)
        );
        return logging.AddConsole(console =>
        {
            console.FormatterName = LogLineFormatter.FormatterName;
            console.LogToStandardErrorThreshold = LogLevel.Trace;
        });
    }
}
