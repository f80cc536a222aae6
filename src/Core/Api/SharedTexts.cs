using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>
/// Reads texts of which a long list repeats few, such as dataset names: equal ones become one string. A list of 50,000
/// backups needs half the memory. Thread-safe.
/// </summary>
public sealed class SharedTextConverter : JsonConverter<string>
{
    private const int MaxTexts = 16 * 1024;
    private const int MaxLength = 512;

    private static readonly Lock Gate = new();
    private static readonly HashSet<string> Known = new(StringComparer.Ordinal);

    public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Read(ref reader);

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value);

    /// <summary>Reads a text as a terminal shows it.</summary>
    /// <returns>The first string with this value that was read; a new one once too many differ.</returns>
    internal static string Read(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String)
            throw new JsonException("a text is expected");
        var text = TerminalText.CleanLine(reader.GetString()!);
        if (text.Length > MaxLength)
            return text;
        lock (Gate)
        {
            if (Known.TryGetValue(text, out var known))
                return known;
            if (Known.Count < MaxTexts)
                Known.Add(text);
            return text;
        }
    }
}

/// <summary>
/// Reads lists of texts of which few differ, such as flags: equal lists become one. Thread-safe.
/// </summary>
public sealed class SharedTextsConverter : JsonConverter<IReadOnlyList<string>>
{
    private const int MaxLists = 64;

    private static readonly Lock Gate = new();
    private static readonly List<string[]> Known = [];

    public override IReadOnlyList<string> Read(
        ref Utf8JsonReader reader,
        Type typeToConvert,
        JsonSerializerOptions options
    )
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new JsonException("a list of texts is expected");
        List<string> texts = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            texts.Add(SharedTextConverter.Read(ref reader));
        }

        lock (Gate)
        {
            if (Known.Find(known => known.AsSpan().SequenceEqual(CollectionsMarshal.AsSpan(texts))) is { } known)
                return known;
            string[] read = [.. texts];
            if (Known.Count < MaxLists)
                Known.Add(read);
            return read;
        }
    }

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<string> value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        foreach (var text in value)
            writer.WriteStringValue(text);
        writer.WriteEndArray();
    }
}
