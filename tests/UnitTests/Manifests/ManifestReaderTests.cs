using System.Text;
using System.Text.Json;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Tests;

namespace ZfsSnapshotManager.UnitTests.Manifests;

public sealed class ManifestReaderTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(70_000)]
    public async Task A_manifest_is_read_in_pieces_of_any_size(int pieceSize)
    {
        var (manifest, parts) = Many(1000);
        using var pieces = new Pieces(await TestManifests.WriteAsync(manifest, parts), pieceSize);

        var (read, listed) = await TestManifests.ReadAsync(pieces);

        Assert.Equal(
            JsonSerializer.Serialize(manifest, ManifestJson.Default.Manifest),
            JsonSerializer.Serialize(read, ManifestJson.Default.Manifest)
        );
        Assert.Equal(parts.Select((part, number) => (number < 500 ? 0 : 1, part)), listed);
    }

    [Fact]
    public async Task The_order_of_fields_and_unknown_fields_do_not_matter()
    {
        var (manifest, original) = Many(4);
        var json = Encoding
            .UTF8.GetString(await TestManifests.WriteAsync(manifest, original))
            .Replace("\"format_version\":2,", "\"format_version\":2, \"later\": {\"objects\": [null, 1]},");
        using var document = JsonDocument.Parse(json);
        var reversed =
            "{"
            + string.Join(',', document.RootElement.EnumerateObject().Reverse().Select(field => field.ToString()))
            + "}";

        // A null that nobody reads is refused, as it always was.
        await Assert.ThrowsAsync<JsonException>(() => ReadAsync(Encoding.UTF8.GetBytes(reversed), 50));
        Assert.Equal(4, await ReadAsync(Encoding.UTF8.GetBytes(reversed.Replace("[null, 1]", "[1]")), 50));
    }

    [Fact]
    public async Task It_accepts_exactly_what_parsing_at_once_accepts()
    {
        var (manifest, parts) = Many(5);
        var original = await TestManifests.WriteAsync(manifest, parts);
        var accepted = 0;
        foreach (var draw in RandomTest.Draws(few: 3000, many: 300_000))
        {
            var json = Damage(original, draw.Random);
            var expected = Try(() => TestManifests.ParseAtOnce(json));
            Exception? fault = null;
            try
            {
                await ReadAsync(json, draw.Random.Next(1, 200));
            }
            catch (JsonException e)
            {
                fault = e;
            }

            Assert.True(
                (expected is null) == (fault is null),
                $"{draw}: at once: {expected?.Message ?? "accepted"}, in pieces: {fault?.Message ?? "accepted"}: "
                    + Encoding.UTF8.GetString(json)
            );
            accepted += fault is null ? 1 : 0;
        }

        Assert.True(accepted > 0, "no draw was harmless");
    }

    /// <summary>A flipped bit on a disk, or a hostile server: it is the manifest's fault, not the program's.</summary>
    [Theory]
    [InlineData("\"dataset_name\"", "\"dataset_n\u00ffme\"")]
    [InlineData("\"key\":\"", "\"key\":\"\u00ff")]
    [InlineData("\"key\":\"", "\"key\":\"\\ud800")]
    [InlineData("\"dataset_name\":\"", "\"dataset_name\":\"\u00ff")]
    public async Task A_text_that_is_not_valid_is_refused(string from, string to)
    {
        var (manifest, parts) = Many(2);
        var json = Encoding.Latin1.GetString(await TestManifests.WriteAsync(manifest, parts));
        Assert.Contains(from, json, StringComparison.Ordinal);
        var damaged = Encoding.Latin1.GetBytes(json.Replace(from, to, StringComparison.Ordinal));

        await Assert.ThrowsAsync<JsonException>(() => ReadAsync(damaged, 50));
    }

    [Fact]
    public async Task A_value_without_an_end_is_refused_before_it_fills_the_memory()
    {
        var json = "{\"dataset_name\": \"" + new string('x', 5 * 1024 * 1024) + "\"}";

        var fault = await Assert.ThrowsAsync<JsonException>(() => ReadAsync(Encoding.UTF8.GetBytes(json), 1 << 20));

        Assert.Contains("longer than", fault.Message, StringComparison.Ordinal);
    }

    private static (Manifest Manifest, StoredPart[] Parts) Many(int count)
    {
        var parts = Enumerable
            .Range(0, count)
            .Select(number =>
                StoredPart.Of(BitConverter.GetBytes(number)) with
                {
                    State = number % 2 == 0 ? null : "s",
                }
            )
            .ToArray();
        var key = TestManifests.Key;
        var manifest = TestManifests.Make(parts) with
        {
            Properties = new Dictionary<string, string> { ["org:ü"] = "a\n\"b\"" },
            Objects =
            [
                new StoredObject { Key = key, Size = count / 2 * 4 },
                new StoredObject { Key = $"{key}.0002", Size = (count - (count / 2)) * 4 },
            ],
        };
        return (manifest, parts);
    }

    /// <returns>How many parts it has.</returns>
    private static async Task<int> ReadAsync(byte[] json, int pieceSize)
    {
        using var pieces = new Pieces(json, pieceSize);
        return (await TestManifests.ReadAsync(pieces)).Parts.Count;
    }

    private static JsonException? Try(Action parse)
    {
        try
        {
            parse();
            return null;
        }
        catch (JsonException e)
        {
            return e;
        }
    }

    private static byte[] Damage(byte[] json, Random random)
    {
        var damaged = json.ToList();
        var at = random.Next(damaged.Count);
        switch (random.Next(4))
        {
            case 0:
                damaged[at] = (byte)"0123456789{}[]\":, ntx\n"[random.Next(22)];
                break;
            case 1:
                damaged.RemoveRange(at, Math.Min(random.Next(1, 40), damaged.Count - at));
                break;
            case 2:
                damaged.InsertRange(at, damaged.GetRange(at, Math.Min(random.Next(1, 40), damaged.Count - at)));
                break;
            default:
                var text = Encoding.UTF8.GetString(json);
                var fields = (string[])["size", "sha256", "key", "parts", "objects", "state", "stored_bytes", "raw"];
                var field = fields[random.Next(fields.Length)];
                var values = (string[])["null", "0", "-1", "1e3", "\"x\"", "[]", "{}", "true", "99999999999"];
                var start = text.IndexOf($"\"{field}\":", random.Next(text.Length / 2), StringComparison.Ordinal);
                if (start < 0)
                    break;
                var end = text.IndexOfAny([',', '}', ']'], start);
                return Encoding.UTF8.GetBytes(
                    $"{text[..start]}\"{field}\":{values[random.Next(values.Length)]}{text[end..]}"
                );
        }

        return [.. damaged];
    }

    private sealed class Pieces(byte[] content, int size) : MemoryStream(content)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, size)], cancellationToken);
    }
}
