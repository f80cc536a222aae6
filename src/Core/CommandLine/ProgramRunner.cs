using System.CommandLine;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>
/// Runs a program's command line: parses it, calls the command, and is the one place where a failure becomes a message
/// and an exit code.
/// </summary>
public static class ProgramRunner
{
    /// <summary>The time that a command has to clean up after Ctrl-C, SIGTERM or SIGHUP.</summary>
    private static readonly TimeSpan CleanUpTime = TimeSpan.FromSeconds(30);

    public static Option<bool> JsonOption { get; } =
        new("--json") { Description = "Print the result as JSON.", Recursive = true };

    /// <summary>For the commands that cron runs; not for those whose purpose is what they print.</summary>
    public static Option<bool> QuietOption { get; } =
        new("--quiet", "-q") { Description = "Print only warnings and failures: nothing if all is well." };

    /// <param name="root">The program's commands; exceptions of their actions are handled here.</param>
    /// <param name="arguments">The command line.</param>
    public static async Task<int> RunAsync(RootCommand root, string[] arguments)
    {
        DescriptorLimit.Raise();
        DescriptorStream.UseForConsole();
        using var signals = new TerminationSignals();
        root.Options.Add(JsonOption);
        CommandWithExamples.ShowExamples(root);
        var parsed = root.Parse(arguments);
        if (parsed.Errors.Count > 0 && parsed.Action?.ClearsParseErrors != true)
        {
            var fault = new OperationException(
                ExitCode.Usage,
                string.Join(' ', parsed.Errors.Select(error => error.Message)),
                $"See '{root.Name} --help'."
            );
            return Report(root.Name, fault, arguments.Contains("--json"), signals);
        }

        try
        {
            var command = parsed.InvokeAsync(
                new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null },
                signals.Token
            );
            var overdue = signals.WaitUntilOverdueAsync(CleanUpTime);
            if (await Task.WhenAny(command, overdue) == overdue)
                return (int)signals.ExitCode!.Value;
            return await command;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return Report(root.Name, e, parsed.GetValue(JsonOption), signals);
        }
    }

    private static int Report(string program, Exception e, bool json, TerminationSignals signals)
    {
        var (exitCode, message, remedy) = e switch
        {
            OperationException known => (known.ExitCode, known.Message, known.Remedy),
            SendStreamException damaged => (ExitCode.Damaged, damaged.Message, null),
            StreamCombinationException unfit => (ExitCode.Conflict, unfit.Message, null),
            OperationCanceledException => (ExitCode.Interrupted, "Interrupted.", null),
            _ => (
                ExitCode.Failure,
                $"Unexpected failure: {e}",
                "This is a bug of the program: report it with the text above."
            ),
        };
        if (exitCode == ExitCode.Interrupted)
            exitCode = signals.ExitCode ?? exitCode;
        // Also with --json: standard output may go to a file that nobody reads, or that has no room.
        Tell(program, message, remedy);
        if (json && e is not OutputException)
            WriteJson(
                program,
                new CommandFailure
                {
                    Message = message,
                    Code = CommandFailure.CodeOf(e, exitCode),
                    Remedy = remedy,
                }
            );
        return (int)exitCode;
    }

    private static void Tell(string program, string message, string? remedy)
    {
        Console.Error.WriteLine(TerminalText.Clean($"{program}: {message}"));
        if (remedy is not null)
            Console.Error.WriteLine(TerminalText.Clean(remedy));
    }

    private static void WriteJson(string program, CommandFailure failure)
    {
        try
        {
            // The type stands for no results, whatever those of the command would be.
            JsonReport.Write(Console.Out, success: false, [], CommandFailureJson.Default.CommandFailure, [failure], []);
        }
        catch (OutputException e)
        {
            Tell(program, e.Message, e.Remedy);
        }
    }
}
