using System.Text;
using System.Text.Json;
using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.UnitTests.Manifests;

/// <summary>What is written, and that earlier manifests stay readable.</summary>
public sealed class ManifestTests
{
    [Fact]
    public async Task What_is_written_can_be_read()
    {
        StoredPart[] parts = [StoredPart.Of([1, 2, 3]), StoredPart.Of([4]) with { State = "s" }];

        var json = await TestManifests.WriteAsync(TestManifests.Make(parts), parts);
        var (read, listed) = await TestManifests.ReadAsync(new MemoryStream(json));

        Assert.Equal(StoredPart.DigestOf(parts), read.PartsSha256);
        Assert.Equal((TestManifests.Key, 4L), (read.Objects[0].Key, read.Objects[0].Size));
        Assert.Equal(parts, listed.Select(part => part.Part));
    }

    [Fact]
    public async Task It_is_written_in_one_line_and_without_what_is_not_known()
    {
        var json = Encoding.UTF8.GetString(
            await TestManifests.WriteAsync(TestManifests.Make(StoredPart.Of([1])), StoredPart.Of([1]))
        );

        Assert.StartsWith("{\"format_version\":2,\"upload_id\":\"u\",", json, StringComparison.Ordinal);
        Assert.EndsWith(
            $"\"parts\":[{{\"size\":1,\"sha256\":\"{StoredPart.Of([1]).Sha256}\"}}]}}]}}",
            json,
            StringComparison.Ordinal
        );
        Assert.DoesNotContain('\n', json);
    }

    [Fact]
    public async Task What_could_not_be_read_is_not_written()
    {
        var part = StoredPart.Of([1, 2, 3]);
        var manifest = TestManifests.Make(part);

        foreach (
            var wrong in (Manifest[])
                [
                    manifest with
                    {
                        StoredBytes = 4,
                    },
                    manifest with
                    {
                        PartsSha256 = new string('0', 64),
                    },
                    manifest with
                    {
                        Objects = [],
                    },
                    manifest with
                    {
                        Objects = [new StoredObject { Key = TestManifests.Key, Size = 4 }],
                    },
                    manifest with
                    {
                        FormatVersion = 3,
                    },
                ]
        )
            await Assert.ThrowsAsync<InvalidOperationException>(() => TestManifests.WriteAsync(wrong, part));
        await Assert.ThrowsAsync<InvalidOperationException>(() => TestManifests.WriteAsync(manifest, part, part));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(PartGroups.Max - 1, 1)]
    [InlineData(PartGroups.Max, 2)]
    [InlineData((PartGroups.Max * 4) + 3, 8)]
    public async Task States_are_kept_after_each_group_of_parts_and_at_the_end(int count, int group)
    {
        var part = StoredPart.Of([1]);
        StoredPart[] parts = [.. Enumerable.Range(1, count).Select(number => part with { State = $"{number}" })];

        var json = await TestManifests.WriteAsync(TestManifests.Make(parts), parts);
        var (_, listed) = await TestManifests.ReadAsync(new MemoryStream(json));

        Assert.Equal(group, PartGroups.SizeFor(count));
        Assert.Equal(
            Enumerable.Range(1, count).Select(n => n % group == 0 || n == count ? $"{n}" : null),
            listed.Select(entry => entry.Part.State)
        );
    }

    /// <summary>A million parts in some 100 bytes each, as docs/testing.md says.</summary>
    [Fact]
    public async Task A_million_parts_take_a_hundred_bytes_each()
    {
        var part = StoredPart.Of([1]) with { Size = 8_388_608 + 123_456, State = new string('s', 150) };
        var parts = Enumerable.Repeat(part, 100_000).ToArray();
        var written = 0L;

        await ManifestWriter.WriteAsync(
            TestManifests.Make(parts),
            parts,
            (piece, _) =>
            {
                written += piece.Length;
                Assert.InRange(piece.Length, 1, 64 * 1024);
                return ValueTask.CompletedTask;
            },
            TestContext.Current.CancellationToken
        );

        Assert.InRange(written / parts.Length, 90, 120);
    }

    /// <summary>A manifest of version 1 as it was written: indented, with each state.</summary>
    [Theory]
    [InlineData("version-1-parts", 9, true)]
    [InlineData("version-1-body", 1, false)]
    public async Task A_manifest_of_version_1_is_read(string name, int count, bool hasStates)
    {
        var path = Path.Combine(AppContext.BaseDirectory, "manifests", $"{name}.manifest.json");
        await using var json = File.OpenRead(path);

        var (manifest, parts) = await TestManifests.ReadAsync(json);

        Assert.Equal((1, count), (manifest.FormatVersion, parts.Count));
        Assert.All(parts, entry => Assert.Equal(hasStates, entry.Part.State is not null));
        Assert.Equal(manifest.StoredBytes, Assert.Single(manifest.Objects).Size);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Another_version_is_refused_with_its_number(int version)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(
            TestManifests.Make(StoredPart.Of([1])) with
            {
                FormatVersion = version,
            },
            ManifestJson.Default.Manifest
        );

        var fault = Assert.Throws<JsonException>(() => Manifest.ParseLocal(json));

        Assert.Contains($"format_version is {version}", fault.Message, StringComparison.Ordinal);
    }
}
