using System.Buffers;
using System.Text.Json;

namespace ZfsSnapshotManager.Core.Manifests;

/// <summary>
/// Writes a manifest in bounded memory, however many parts it lists. What it completes, <see cref="ManifestReader"/>
/// accepts.
/// </summary>
public static class ManifestWriter
{
    private const int PieceSize = 64 * 1024;

    /// <param name="manifest">The manifest of a backup in an object store.</param>
    /// <param name="parts">Those of all its objects, in order.</param>
    /// <param name="write">Receives the JSON piece by piece; a piece is valid until the call returns. What was received
    /// is a manifest only if no exception follows.</param>
    /// <exception cref="InvalidOperationException">A reader would refuse it: a bug. What is committed must be what a
    /// restore can read.</exception>
    public static async Task WriteAsync(
        Manifest manifest,
        IReadOnlyCollection<StoredPart> parts,
        Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> write,
        CancellationToken cancellationToken
    )
    {
        var piece = new ArrayBufferWriter<byte>(PieceSize);
        await using var json = new Utf8JsonWriter(piece);
        using var list = new ObjectList();
        Require(manifest.FindFault());
        json.WriteStartObject();
        WriteHeader(json, manifest);
        json.WriteStartArray("objects"u8);
        var group = PartGroups.SizeFor(parts.Count);
        var number = 0;
        using var rest = parts.GetEnumerator();
        foreach (var stored in manifest.Objects)
        {
            json.WriteStartObject();
            json.WriteString("key"u8, stored.Key);
            json.WriteNumber("size"u8, stored.Size);
            json.WriteStartArray("parts"u8);
            for (var bytes = 0L; bytes < stored.Size && rest.MoveNext(); bytes += rest.Current.Size)
            {
                Require(list.Add(rest.Current));
                number++;
                WritePart(json, rest.Current, hasState: number % group == 0 || number == parts.Count);
                if (json.BytesPending + piece.WrittenCount >= PieceSize / 2)
                    await PassOnAsync();
            }

            json.WriteEndArray();
            json.WriteEndObject();
            Require(list.EndObject(stored.Key, stored.Size));
        }

        Require(list.Compare(manifest) ?? (rest.MoveNext() ? "a part belongs to no object" : null));
        json.WriteEndArray();
        json.WriteEndObject();
        await PassOnAsync();

        async ValueTask PassOnAsync()
        {
            await json.FlushAsync(cancellationToken);
            await write(piece.WrittenMemory, cancellationToken);
            piece.ResetWrittenCount();
        }

        void Require(string? fault)
        {
            if (fault is not null)
                throw new InvalidOperationException(
                    $"The manifest of {manifest.DatasetName}@{manifest.SnapshotName} is not valid: {fault}."
                );
        }
    }

    private static void WriteHeader(Utf8JsonWriter json, Manifest manifest)
    {
        using var header = JsonSerializer.SerializeToDocument(manifest, ManifestJson.Default.Manifest);
        foreach (var property in header.RootElement.EnumerateObject())
        {
            if (!property.NameEquals("objects"u8))
                property.WriteTo(json);
        }
    }

    private static void WritePart(Utf8JsonWriter json, StoredPart part, bool hasState)
    {
        json.WriteStartObject();
        json.WriteNumber("size"u8, part.Size);
        json.WriteString("sha256"u8, part.Sha256);
        if (hasState && part.State is { } state)
            json.WriteString("state"u8, state);
        json.WriteEndObject();
    }
}
