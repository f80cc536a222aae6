using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>
/// Where a command's result goes: text for people, or one JSON value for scripts, on standard output; everything else
/// on standard error.
/// </summary>
public sealed class Output(bool json)
{
    public bool Json { get; } = json;

    /// <summary>The command's result in both forms; only the asked one is made.</summary>
    public void Result<T>(T value, JsonTypeInfo<T> type, Action<TextWriter> writeText)
    {
        if (Json)
            Console.Out.WriteLine(JsonSerializer.Serialize(value, type));
        else
            writeText(Console.Out);
    }

    /// <summary>A remark on the way; scripts that read JSON need none.</summary>
    public void Note(string text)
    {
        if (!Json)
            Console.Error.WriteLine(text);
    }

    public static void Warn(string text) => Console.Error.WriteLine($"warning: {text}");
}
