using System.Text.Json.Nodes;

namespace ZfsSnapshotManager.Tests;

/// <summary>One change of a server's answer.</summary>
/// <param name="Path">The field, such as <c>snapshots[].raw</c>; every item of a list is changed.</param>
/// <param name="What">What becomes of it.</param>
/// <param name="Change">Gets the field's value and gives another one; null: it is left out.</param>
internal sealed record Lie(string Path, string What, Func<JsonNode?, JsonNode?> Change)
{
    /// <summary>Whether the field is added to answers that do not have it.</summary>
    public bool Adds { get; init; }

    /// <summary>In place of a value: JSON's null, which is not a node.</summary>
    public static JsonNode Null { get; } = JsonValue.Create("(null)");

    public override string ToString() => $"{Path}: {What}";

    /// <summary>Tells it of an answer.</summary>
    /// <returns>Whether the answer has the field.</returns>
    public bool Tell(JsonNode answer) => Tell(answer, Path.Split('.'));

    /// <summary>All lies about an answer, one for each field and value.</summary>
    public static IEnumerable<Lie> About(JsonNode answer) =>
        FieldsOf(answer, "").DistinctBy(field => field.Path).SelectMany(field => About(field.Path, field.Value));

    private static IEnumerable<(string Path, JsonNode? Value)> FieldsOf(JsonNode? node, string path)
    {
        if (node is JsonArray list)
            return list.SelectMany(item => FieldsOf(item, $"{path}[]"));
        if (node is not JsonObject fields)
            return [];
        var start = path.Length == 0 ? "" : $"{path}.";
        return fields.SelectMany(field =>
            FieldsOf(field.Value, start + field.Key).Prepend((start + field.Key, field.Value))
        );
    }

    private static IEnumerable<Lie> About(string path, JsonNode? value)
    {
        yield return new Lie(path, "missing", _ => null);
        yield return Becomes(path, "null", () => Null);
        yield return Becomes(path, "an object", () => new JsonObject { ["a"] = 1 });
        foreach (var text in TextsFor(value))
            yield return Becomes(path, text.What, () => JsonValue.Create(text.Value));
        foreach (var number in (long[])[0, 1, -1, int.MaxValue, 1L << 40, long.MaxValue, long.MinValue])
            yield return Becomes(path, $"{number}", () => JsonValue.Create(number));
        yield return Becomes(path, "a fraction", () => JsonValue.Create(0.5));
        yield return Becomes(path, "true", () => JsonValue.Create(true));
        yield return Becomes(path, "false", () => JsonValue.Create(false));
        yield return Becomes(path, "an empty list", () => new JsonArray());
        yield return Becomes(path, "a list with null", () => new JsonArray((JsonNode?)null));
        if (value is JsonArray)
        {
            yield return new Lie(path, "twice", list => Joined(list, list));
            yield return new Lie(path, "with null", list => Joined(list, new JsonArray((JsonNode?)null)));
            yield return new Lie(path, "only the first", list => new JsonArray(list!.AsArray()[0]?.DeepClone()));
            yield return new Lie(path, "without the first", list => Joined([.. list!.AsArray().Skip(1)]));
            yield return new Lie(path, "reversed", list => Joined([.. list!.AsArray().Reverse()]));
        }
    }

    private static IEnumerable<(string What, string Value)> TextsFor(JsonNode? value)
    {
        yield return ("an empty text", "");
        yield return ("another text", "another");
        yield return ("escape sequences", "\e[2J\e]0;title\a\r\n\u202egnp\u009b1m");
        yield return ("a path", "../../etc/passwd");
        yield return ("a long text", new string('x', 100_000));
        yield return ("a half character", "\ud800");
        yield return ("the first moment", "0001-01-01T00:00:00+00:00");
        yield return ("the last moment", "9999-12-31T23:59:59.9999999+00:00");
        yield return ("a large number as text", "18446744073709551615");
        if (value is JsonValue scalar && scalar.TryGetValue(out string? text) && text.Length > 0)
        {
            yield return ("one character less", text[..^1]);
            yield return ("upper case", text.ToUpperInvariant());
        }
    }

    private static Lie Becomes(string path, string what, Func<JsonNode> value) => new(path, what, _ => value());

    private static JsonArray Joined(params JsonNode?[] nodes) =>
        [.. nodes.SelectMany(node => node is JsonArray list ? list.AsEnumerable() : [node]).Select(Copy)];

    private static JsonNode? Copy(JsonNode? node) => node?.DeepClone();

    private bool Tell(JsonNode? node, ReadOnlySpan<string> path)
    {
        var name = path[0].TrimEnd('[', ']');
        if (node is JsonArray items)
        {
            var told = false;
            foreach (var item in items)
                told |= Tell(item, path);
            return told;
        }

        if (node is not JsonObject fields)
            return false;
        if (!fields.TryGetPropertyValue(name, out var value) && !(Adds && path.Length == 1))
            return false;
        if (path.Length > 1)
            return Tell(value, path[1..]);
        var changed = Change(value);
        if (changed is null)
            _ = fields.Remove(name);
        else
            fields[name] = ReferenceEquals(changed, Null) ? null : changed;
        return true;
    }
}
