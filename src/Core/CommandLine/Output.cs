using System.CommandLine;
using System.Text.Json.Serialization.Metadata;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>
/// Writes a command's result to standard output, as human-readable text or as one JSON object for scripts, and
/// everything else to standard error.
/// </summary>
/// <param name="json">Whether the result is written as JSON.</param>
/// <param name="quiet">Whether nothing is written if nothing is wrong.</param>
public sealed class Output(bool json, bool quiet)
{
    private readonly TextWriter _errors = Console.Error;
    private readonly List<LeftOutDataset> _leftOut = [];

    /// <summary>Whether the result is written as JSON.</summary>
    public bool Json { get; } = json;

    /// <summary>
    /// Whether only warnings and failures are written, so that cron has nothing to mail after a good run. A result in
    /// JSON is written all the same: whoever asked for it parses it.
    /// </summary>
    public bool Quiet { get; } = quiet;

    /// <summary>Whether remarks and the progress of transfers are shown.</summary>
    public bool ShowsProgress => !Json && !Quiet;

    /// <summary>As the options of a command say.</summary>
    public static Output Of(ParseResult parsed) =>
        new(parsed.GetValue(ProgramRunner.JsonOption), parsed.GetValue(ProgramRunner.QuietOption));

    /// <summary>Writes the result of a command that is about one thing.</summary>
    /// <inheritdoc cref="Results"/>
    public void Result<T>(T value, JsonTypeInfo<T> type, Action<TextWriter> writeText, bool success = true) =>
        Results([value], type, writeText, success);

    /// <summary>Writes the command's results as JSON (<see cref="JsonReport"/>), or as text.</summary>
    /// <param name="values">One for each dataset, backup, or whatever the command is about.</param>
    /// <param name="writeText">Writes them human-readable.</param>
    /// <param name="success">Whether the exit code is 0.</param>
    /// <param name="failures">What failed besides.</param>
    public void Results<T>(
        IEnumerable<T> values,
        JsonTypeInfo<T> type,
        Action<TextWriter> writeText,
        bool success = true,
        IEnumerable<CommandFailure>? failures = null
    )
    {
        try
        {
            if (Json)
                JsonReport.Write(Console.Out, success, values, type, failures ?? [], _leftOut);
            else if (!Quiet || !success)
                writeText(Console.Out);
        }
        catch (OutputException e)
        {
            throw new OutputException(e.ExitCode, e.Message, "The command has done its work; its result is lost.", e);
        }
    }

    /// <summary>Names datasets that the command does not work on beside its results, in JSON.</summary>
    public void LeaveOut(IEnumerable<LeftOutDataset> datasets) => _leftOut.AddRange(datasets);

    /// <summary>Writes a remark about progress, which neither scripts nor mails of cron need.</summary>
    public void Note(string text)
    {
        if (ShowsProgress)
            _errors.WriteLine(TerminalText.Clean(text));
    }

    /// <summary>Writes a warning, in every mode: the user may have to act on it.</summary>
    public void Warn(string text) => CommandWarnings.Add(text, _errors);

    /// <summary>
    /// Writes in every mode what failed for one of several datasets. In JSON it is one of the failures, not a warning.
    /// </summary>
    public void WarnOfFailure(string text) => _errors.WriteLine(TerminalText.Clean($"warning: {text}"));
}
