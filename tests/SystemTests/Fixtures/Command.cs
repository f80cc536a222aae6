using System.Diagnostics;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>A finished command.</summary>
internal sealed record CommandResult(string What, int ExitCode, string Output, string Error)
{
    public CommandResult MustSucceed() =>
        ExitCode == 0
            ? this
            : throw new InvalidOperationException($"{What} ended with exit code {ExitCode}\n{Output}\n{Error}");

    /// <summary>Output and error together, for assertions about what a user sees.</summary>
    public string Text => Output + Error;
}

/// <summary>Runs real programs; bounded in time, since a hanging one must fail a test and not stop the run.</summary>
internal static class Command
{
    private const double MostSeconds = 300;

    /// <param name="seconds">How long it may take on a machine that is neither slow nor busy.</param>
    public static async Task<CommandResult> RunAsync(
        string program,
        IEnumerable<string> arguments,
        string? folder = null,
        IReadOnlyDictionary<string, string>? environment = null,
        byte[]? input = null,
        double seconds = MostSeconds
    )
    {
        string[] words = [.. arguments];
        var start = TimeProvider.System.GetTimestamp();
        using var process = Start(program, words, folder, environment);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        try
        {
            if (input is not null)
                await process.StandardInput.BaseStream.WriteAsync(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The program does not want its input; what it says about that is the result.
        }

        using var limit = new CancellationTokenSource(Patience.Of(seconds));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException e)
        {
            process.Kill();
            throw new TimeoutException(
                $"{program} {string.Join(' ', words)} did not end within {Patience.SecondsOf(seconds)} s.",
                e
            );
        }

        var result = new CommandResult(
            $"{Path.GetFileName(program)} {string.Join(' ', words)}",
            process.ExitCode,
            await output,
            await error
        );
        TestLog.Write(result, TimeProvider.System.GetElapsedTime(start));
        return result;
    }

    public static Process Start(
        string program,
        IEnumerable<string> arguments,
        string? folder = null,
        IReadOnlyDictionary<string, string>? environment = null
    )
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder ?? Repository.Root,
        };
        start.Environment["ZFS_SETTINGS_FILE"] = "/dev/null"; // this machine may have the programs installed
        foreach (var (key, value) in environment ?? new Dictionary<string, string>(StringComparer.Ordinal))
            start.Environment[key] = value;
        return Process.Start(start)!;
    }
}
