using System.Text.Json.Serialization.Metadata;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>
/// Writes a command's result to standard output, as human-readable text or as one JSON object for scripts, and
/// everything else to standard error.
/// </summary>
public sealed class Output(bool json)
{
    private readonly TextWriter _errors = Console.Error;

    /// <summary>Whether the result is written as JSON.</summary>
    public bool Json { get; } = json;

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
                JsonReport.Write(Console.Out, success, values, type, failures ?? []);
            else
                writeText(Console.Out);
        }
        catch (OutputException e)
        {
            throw new OutputException(e.ExitCode, e.Message, "The command has done its work; its result is lost.", e);
        }
    }

    /// <summary>Writes a remark about progress; not in JSON mode, since scripts do not need it.</summary>
    public void Note(string text)
    {
        if (!Json)
            _errors.WriteLine(TerminalText.Clean(text));
    }

    /// <summary>Writes a warning, also in JSON mode: the user may have to act on it.</summary>
    public void Warn(string text) => _errors.WriteLine(TerminalText.Clean($"warning: {text}"));
}
