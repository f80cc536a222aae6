using System.Text.Json;
using System.Text.Json.Serialization;

namespace ZfsSnapshotManager.Core.Names;

/// <summary>Why a snapshot was made; rotation counts it in this class.</summary>
[JsonConverter(typeof(SnapshotTypeConverter))]
public enum SnapshotType
{
    /// <summary>Without a class: made by <c>backup</c>, or by another program.</summary>
    Manual,
    Hourly,
    Daily,
    Weekly,
    Monthly,
}

public static class SnapshotTypes
{
    /// <summary>The classes of a policy, the finest first.</summary>
    public static IReadOnlyList<SnapshotType> Classes { get; } =
    [SnapshotType.Hourly, SnapshotType.Daily, SnapshotType.Weekly, SnapshotType.Monthly];

    /// <summary>As users write it: <c>hourly</c>.</summary>
    public static string ToText(this SnapshotType type) =>
        type switch
        {
            SnapshotType.Hourly => "hourly",
            SnapshotType.Daily => "daily",
            SnapshotType.Weekly => "weekly",
            SnapshotType.Monthly => "monthly",
            _ => "manual",
        };

    public static SnapshotType? TryParse(string? text) =>
        text switch
        {
            "manual" => SnapshotType.Manual,
            "hourly" => SnapshotType.Hourly,
            "daily" => SnapshotType.Daily,
            "weekly" => SnapshotType.Weekly,
            "monthly" => SnapshotType.Monthly,
            _ => null,
        };
}

/// <summary>In JSON, types are the words that users write.</summary>
public sealed class SnapshotTypeConverter : JsonConverter<SnapshotType>
{
    public override SnapshotType Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && SnapshotTypes.TryParse(reader.GetString()) is { } type
            ? type
            : throw new JsonException("a snapshot type is manual, hourly, daily, weekly or monthly");

    public override void Write(Utf8JsonWriter writer, SnapshotType value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToText());
}
