using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>
/// Writes a command's result to standard output, as human-readable text or as one JSON value for scripts, and
/// everything else to standard error.
/// </summary>
public sealed class Output(bool json)
{
    private readonly TextWriter _errors = Console.Error;

    /// <summary>Whether the result is written as JSON.</summary>
    public bool Json { get; } = json;

    /// <summary>Writes the command's result as JSON, or by <paramref name="writeText"/>.</summary>
    public void Result<T>(T value, JsonTypeInfo<T> type, Action<TextWriter> writeText)
    {
        try
        {
            if (Json)
                Console.Out.WriteLine(JsonSerializer.Serialize(value, type));
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
