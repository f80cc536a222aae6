using System.Text.Json;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.UnitTests.Manifests;

internal static class TestManifests
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectRequiredConstructorParameters = true,
    };

    public const string Key = "web1/tank_data_1970-01-01_00:00:00.zfs";

    /// <summary>A manifest of one object with these parts.</summary>
    public static Manifest Make(params IReadOnlyCollection<StoredPart> parts) =>
        new()
        {
            FormatVersion = Manifest.CurrentFormatVersion,
            UploadId = "u",
            ClientId = "web1",
            DatasetName = "tank/data",
            SnapshotName = "monday",
            SnapshotGuid = new SnapshotGuid(7),
            FromGuid = null,
            DatasetType = "filesystem",
            Timestamp = DateTimeOffset.UnixEpoch,
            ReceivedAt = DateTimeOffset.UnixEpoch,
            Compression = "none",
            Raw = false,
            SendFlags = ["-L"],
            Features = ["LargeBlocks"],
            StoredBytes = parts.Sum(part => (long)part.Size),
            StreamBytes = parts.Sum(part => (long)part.Size),
            RecordCount = 3,
            EndChecksum = "1:2:3:4",
            PartsSha256 = StoredPart.DigestOf(parts),
            Objects = [new StoredObject { Key = Key, Size = parts.Sum(part => (long)part.Size) }],
        };

    public static async Task<byte[]> WriteAsync(Manifest manifest, params IReadOnlyCollection<StoredPart> parts)
    {
        using var json = new MemoryStream();
        await ManifestWriter.WriteAsync(manifest, parts, json.WriteAsync, TestContext.Current.CancellationToken);
        return json.ToArray();
    }

    public static async Task<(Manifest Manifest, List<(int Object, StoredPart Part)> Parts)> ReadAsync(Stream json)
    {
        List<(int, StoredPart)> parts = [];
        var manifest = await ManifestReader.ReadAsync(
            json,
            (number, part) => parts.Add((number, part)),
            TestContext.Current.CancellationToken
        );
        return (manifest, parts);
    }

    /// <summary>
    /// Reads a whole manifest at once, in another way than <see cref="ManifestReader"/> and with the same rules.
    /// </summary>
    /// <exception cref="JsonException">It is not a manifest, or contradicts itself.</exception>
    public static void ParseAtOnce(byte[] json)
    {
        var manifest = Manifest.ParseLocal(json);
        var objects = JsonSerializer.Deserialize<Whole>(json, Options)!.Objects;
        Require(objects.Length > 0, "objects is empty");
        foreach (var (index, stored) in objects.Index())
        {
            Require(stored.Key == StoredObject.KeyOf(objects[0].Key, index), "key");
            Require(stored.Parts.Length > 0, "an object has no parts");
            Require(stored.Parts.All(part => part.Size is > 0 and <= StoredPart.MaxSize), "a part's size");
            Require(stored.Parts.Sum(part => (long)part.Size) == stored.Size, "an object's size");
        }

        Require(objects.Sum(stored => stored.Size) == manifest.StoredBytes, "stored_bytes");
        var digest = StoredPart.DigestOf(objects.SelectMany(stored => stored.Parts));
        Require(digest.Length > 0 && digest == manifest.PartsSha256, "parts_sha256");
    }

    private static void Require(bool condition, string what)
    {
        if (!condition)
            throw new JsonException(what);
    }

    private sealed record Whole
    {
        public required WholeObject[] Objects { get; init; }
    }

    private sealed record WholeObject
    {
        public required string Key { get; init; }

        public required long Size { get; init; }

        public required StoredPart[] Parts { get; init; }
    }
}
