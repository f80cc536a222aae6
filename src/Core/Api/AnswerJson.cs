using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>
/// Reads the answers of a server that is not trusted: no longer than <see cref="MaxLength"/>, with nothing missing,
/// with values that <see cref="AnswerRules"/> allows, and with texts that a terminal shows as they are.
/// </summary>
internal static class AnswerJson
{
    /// <summary>The most bytes of an answer: those of a list of several hundred thousand backups.</summary>
    public const long MaxLength = 512L * 1024 * 1024;

    /// <summary>
    /// The types of the answers. Null is refused where a type does not allow it, which the default does not do.
    /// </summary>
    public static ApiJson Types { get; } =
        new(
            new JsonSerializerOptions(ApiJson.Default.Options)
            {
                RespectNullableAnnotations = true,
                Converters = { new PlainTextConverter() },
            }
        );

    /// <param name="content">The answer's body.</param>
    /// <param name="type">What it is expected to be.</param>
    /// <param name="moved">Called whenever some of it arrived; may be null.</param>
    /// <param name="most">The most bytes that it may have.</param>
    /// <exception cref="JsonException">It is not an answer of a zfs-server.</exception>
    public static async Task<T> ReadAsync<T>(
        HttpContent content,
        JsonTypeInfo<T> type,
        Action? moved,
        CancellationToken cancellationToken,
        long most = MaxLength
    )
    {
        await using var body = await content.ReadAsStreamAsync(cancellationToken);
        await using var limited = new LimitedStream(body, most, moved);
        var answer = await JsonSerializer.DeserializeAsync(limited, type, cancellationToken)
            ?? throw new JsonException("the answer is empty");
        return AnswerRules.FindFault(answer) is { } fault ? throw new JsonException(fault) : answer;
    }

    /// <summary>Texts of the server are printed, so they must not contain what a terminal obeys.</summary>
    private sealed class PlainTextConverter : JsonConverter<string>
    {
        public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String
                ? TerminalText.CleanLine(reader.GetString()!)
                : throw new JsonException("a text is expected");

        public override string ReadAsPropertyName(
            ref Utf8JsonReader reader,
            Type typeToConvert,
            JsonSerializerOptions options
        ) => TerminalText.CleanLine(reader.GetString()!);

        public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value);
    }
}
