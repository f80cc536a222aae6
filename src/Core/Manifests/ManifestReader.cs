using System.Buffers;
using System.Text.Json;

namespace ZfsSnapshotManager.Core.Manifests;

/// <summary>
/// Reads a manifest in bounded memory, however many parts it lists: each part is passed on as it is read, and
/// everything else is returned.
/// </summary>
public sealed class ManifestReader : IDisposable
{
    /// <summary>The most bytes of everything but the parts; properties of a dataset are the longest of it.</summary>
    private const int MaxHeader = 4 * 1024 * 1024;

    private const int FirstBuffer = 64 * 1024;

    private readonly Action<int, StoredPart> _onPart;
    private readonly ArrayBufferWriter<byte> _header = new();
    private readonly Utf8JsonWriter _headerWriter;
    private readonly ObjectList _list = new();
    private JsonReaderState _state;
    private Place _place = Place.Outside;
    private bool _hasObjects;

    // Of the object that is being read.
    private string? _key;
    private long? _size;
    private bool _hasParts;

    private ManifestReader(Action<int, StoredPart> onPart)
    {
        _onPart = onPart;
        _headerWriter = new Utf8JsonWriter(_header);
    }

    private enum Place
    {
        Outside,
        InManifest,
        InObjects,
        InObject,
        InParts,
    }

    /// <summary>Reads to the end of the stream.</summary>
    /// <param name="json">The manifest of a backup in an object store.</param>
    /// <param name="onPart">Called for each part in order, with the number of its object, from 0. The parts are valid
    /// only if the whole manifest is: what follows may contradict them.</param>
    /// <returns>The manifest, with its objects.</returns>
    /// <exception cref="JsonException">It is not a manifest, or contradicts itself.</exception>
    public static async Task<Manifest> ReadAsync(
        Stream json,
        Action<int, StoredPart> onPart,
        CancellationToken cancellationToken
    )
    {
        using var reader = new ManifestReader(onPart);
        var buffer = new byte[FirstBuffer];
        var filled = 0;
        while (true)
        {
            var count = await json.ReadAsync(buffer.AsMemory(filled), cancellationToken);
            filled += count;
            var consumed = reader.Consume(buffer.AsSpan(0, filled), isFinal: count == 0);
            if (count == 0)
                return reader.Complete();
            buffer.AsSpan(consumed, filled - consumed).CopyTo(buffer);
            filled -= consumed;
            if (filled < buffer.Length)
                continue;
            if (buffer.Length >= MaxHeader)
                throw new JsonException($"a value is longer than {MaxHeader} bytes");
            Array.Resize(ref buffer, buffer.Length * 2);
        }
    }

    public void Dispose()
    {
        _headerWriter.Dispose();
        _list.Dispose();
    }

    /// <returns>How many bytes are used; the others must be given again, with more behind them.</returns>
    private int Consume(ReadOnlySpan<byte> data, bool isFinal)
    {
        var reader = new Utf8JsonReader(data, isFinal, _state);
        while (true)
        {
            var before = reader; // a copy: a value that is not complete is read again from its name on
            if (Step(ref reader, data))
                continue;
            _state = before.CurrentState;
            return (int)before.BytesConsumed;
        }
    }

    /// <returns>False if the data end before the next value does.</returns>
    private bool Step(ref Utf8JsonReader reader, ReadOnlySpan<byte> data)
    {
        if (!reader.Read())
            return false;
        StoredPart? part = null;
        try
        {
            var isComplete = _place switch
            {
                Place.Outside => Begin(ref reader),
                Place.InManifest => StepInManifest(ref reader, data),
                Place.InObjects => StepInObjects(ref reader),
                Place.InObject => StepInObject(ref reader, data),
                _ => StepInParts(ref reader, data, out part),
            };
            if (!isComplete)
                return false;
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException("a text in it is not valid UTF-8", e); // Utf8JsonReader notices it that late
        }

        if (part is not null)
            _onPart(_list.Objects.Count, part);
        return true;
    }

    private bool Begin(ref Utf8JsonReader reader)
    {
        Require(reader.TokenType == JsonTokenType.StartObject, "it is not an object");
        _headerWriter.WriteStartObject();
        _place = Place.InManifest;
        return true;
    }

    private bool StepInManifest(ref Utf8JsonReader reader, ReadOnlySpan<byte> data)
    {
        if (reader.TokenType == JsonTokenType.EndObject)
        {
            _place = Place.Outside;
            return true;
        }

        var isObjects = reader.ValueTextEquals("objects"u8);
        var name = reader.GetString()!;
        if (!reader.Read())
            return false;
        if (isObjects)
        {
            Require(!_hasObjects, "objects appears twice");
            Require(reader.TokenType == JsonTokenType.StartArray, "objects is not a list");
            _hasObjects = true;
            _place = Place.InObjects;
            return true;
        }

        var start = (int)reader.TokenStartIndex;
        if (!reader.TrySkip())
            return false;
        var value = data[start..(int)reader.BytesConsumed];
        Require(_header.WrittenCount + _headerWriter.BytesPending + value.Length <= MaxHeader, "it is too long");
        _headerWriter.WritePropertyName(name);
        _headerWriter.WriteRawValue(value);
        return true;
    }

    private bool StepInObjects(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.EndArray)
        {
            _place = Place.InManifest;
            return true;
        }

        Require(reader.TokenType == JsonTokenType.StartObject, "an entry of objects is not an object");
        (_key, _size, _hasParts) = (null, null, false);
        _place = Place.InObject;
        return true;
    }

    private bool StepInObject(ref Utf8JsonReader reader, ReadOnlySpan<byte> data)
    {
        if (reader.TokenType == JsonTokenType.EndObject)
        {
            Refuse(_list.EndObject(_key, _size));
            _place = Place.InObjects;
            return true;
        }

        var isKey = reader.ValueTextEquals("key"u8);
        var isSize = reader.ValueTextEquals("size"u8);
        var isParts = reader.ValueTextEquals("parts"u8);
        var mayBeNull = Manifest.MayBeNull(ref reader);
        if (!reader.Read())
            return false;
        if (isParts)
        {
            Require(reader.TokenType == JsonTokenType.StartArray, "parts is not a list");
            Require(!_hasParts, "parts appears twice");
            _hasParts = true;
            _place = Place.InParts;
            return true;
        }

        var start = (int)reader.TokenStartIndex;
        if (!reader.TrySkip())
            return false;
        Manifest.RefuseNulls(data[start..(int)reader.BytesConsumed], mayBeNull);
        if (isKey)
        {
            Require(reader.TokenType == JsonTokenType.String, "key is not a text");
            _key = reader.GetString();
        }
        else if (isSize)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var size))
                throw new JsonException("size is not a number");
            _size = size;
        }

        return true;
    }

    private bool StepInParts(ref Utf8JsonReader reader, ReadOnlySpan<byte> data, out StoredPart? part)
    {
        part = null;
        if (reader.TokenType == JsonTokenType.EndArray)
        {
            _place = Place.InObject;
            return true;
        }

        Require(reader.TokenType == JsonTokenType.StartObject, "an entry of parts is not an object");
        var start = (int)reader.TokenStartIndex;
        if (!reader.TrySkip())
            return false;
        var json = data[start..(int)reader.BytesConsumed];
        Manifest.RefuseNulls(json);
        part = JsonSerializer.Deserialize(json, ManifestJson.Default.StoredPart)!;
        Refuse(_list.Add(part));
        return true;
    }

    private Manifest Complete()
    {
        Require(_hasObjects, "it has no objects");
        _headerWriter.WriteStartArray("objects"u8);
        _headerWriter.WriteEndArray();
        _headerWriter.WriteEndObject();
        _headerWriter.Flush();
        var manifest = Manifest.ParseLocal(_header.WrittenSpan);
        Refuse(_list.Compare(manifest));
        return manifest with { Objects = _list.Objects };
    }

    private static void Refuse(string? fault)
    {
        if (fault is not null)
            throw new JsonException(fault);
    }

    private static void Require(bool condition, string fault)
    {
        if (!condition)
            throw new JsonException(fault);
    }
}
