using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ZfsSnapshotManager.Core.Names;

/// <summary>
/// A snapshot's GUID: 64 random bits that ZFS gives a snapshot when it is made. Its copies (received, restored,
/// bookmarked) keep it. So snapshots are identified by it, never by a name or a time.
/// </summary>
[JsonConverter(typeof(JsonConverter))]
public readonly record struct SnapshotGuid(ulong Value)
{
    public static bool TryParse(string? text, out SnapshotGuid guid)
    {
        var isGuid = ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value != 0;
        guid = new SnapshotGuid(value);
        return isGuid;
    }

    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    /// <summary>
    /// Writes a decimal string, since JSON readers that use doubles would lose the low bits of a number. Reads a number
    /// as well.
    /// </summary>
    [SuppressMessage(
        "Design",
        "CA1034:Nested types should not be visible",
        Justification = "The source generator needs to see it."
    )]
    public sealed class JsonConverter : JsonConverter<SnapshotGuid>
    {
        public override SnapshotGuid Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType == JsonTokenType.Number && reader.TryGetUInt64(out var number) && number != 0)
                return new SnapshotGuid(number);
            if (reader.TokenType == JsonTokenType.String && TryParse(reader.GetString(), out var guid))
                return guid;
            throw new JsonException("a snapshot GUID is a decimal string of 64 bits, not 0");
        }

        public override void Write(Utf8JsonWriter writer, SnapshotGuid value, JsonSerializerOptions options)
        {
            Span<byte> digits = stackalloc byte[20]; // of 2^64 - 1
            value.Value.TryFormat(digits, out var length, default, CultureInfo.InvariantCulture);
            writer.WriteStringValue(digits[..length]);
        }
    }
}
