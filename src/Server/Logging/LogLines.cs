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
            colors: HasColors()
        ));
        return logging.AddConsole(console => console.FormatterName = LogLineFormatter.FormatterName);
    }

    /// <summary>To standard error, without timestamps: standard output is for the results of commands.</summary>
    public static ILoggingBuilder AddCommandLines(this ILoggingBuilder logging)
    {
        logging.Services.AddSingleton<ConsoleFormatter>(new LogLineFormatter(time: null, colors: HasColors()));
        return logging.AddConsole(console =>
        {
            console.FormatterName = LogLineFormatter.FormatterName;
            console.LogToStandardErrorThreshold = LogLevel.Trace;
        });
    }

    /// <summary>As the framework's own console log decides it.</summary>
    private static bool HasColors()
    {
        if (!Console.IsOutputRedirected)
            return Environment.GetEnvironmentVariable("NO_COLOR") is null or "";
        return Environment.GetEnvironmentVariable("DOTNET_SYSTEM_CONSOLE_ALLOW_ANSI_COLOR_REDIRECTION")
            is "1"
                or "true";
    }
}
