using System.Diagnostics;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Uploads.Parts;
using ZfsSnapshotManager.Tests;
using ZfsSnapshotManager.UnitTests.Manifests;
using ZfsSnapshotManager.UnitTests.Rotation;

namespace ZfsSnapshotManager.UnitTests.Server.Uploads;

/// <summary>
/// What the completion of an upload does with its parts, in a real catalogue: no step keeps them all. ./test --soak
/// does it with a million parts; docs/testing.md has what that took.
/// </summary>
[Collection("alone")] // it measures the memory of the process
public sealed class ManyPartsTests : IDisposable
{
    private const int Size = 8_400_000;
    private const string End =
        "5,8471096,207,1005032eb1a0fa,29bdca96ae84f0ef,82e758af87c051ba,463dbae2a9863bb6,108,8257536,,"
        + "18446744073709551615,6,18446744073709551615,108,8257536,8470472,0";

    private static readonly int Count = RandomTest.IsSoak ? 1_000_000 : 40_000;

    private static readonly string Digest = new('a', 64);

    private readonly TemporaryFolder _folder = new();
    private readonly Stopwatch _time = Stopwatch.StartNew();
    private readonly PartCatalogue _parts;
    private readonly CatalogueDatabase _database;
    private long _before;
    private long _most;

    public ManyPartsTests()
    {
        _database = new CatalogueDatabase(TestSettings.In(_folder));
        _database.Prepare();
        _parts = new PartCatalogue(_database, new SetTime(History.Now));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_parts_of_an_upload_are_joined_described_and_read_back_without_a_list_of_them()
    {
        Fill();
        Begin();
        var joined = PartsJoin.Check(_parts.Walk("one").Select(Sampled), Request());
        Report("joined");
        var sizes = _parts.ObjectSizes("one", 10_000);
        Report("objects added up");
        var manifest = TestManifests.Make(StoredPart.Of([1])) with
        {
            StoredBytes = joined.StoredBytes,
            PartsSha256 = joined.PartsSha256,
            Objects =
            [
                .. sizes.Select(
                    (size, index) =>
                        new StoredObject { Key = StoredObject.KeyOf(TestManifests.Key, index), Size = size }
                ),
            ],
        };

        var pieces = 0;
        await using var file = new FileStream(_folder.File("manifest"), FileMode.CreateNew);
        await ManifestWriter.WriteAsync(manifest, new PartsOfUpload(_parts, "one", Count), WriteAsync, Token);
        Report($"manifest of {file.Length} bytes written");
        file.Position = 0;
        var layout = new BackupLayout.Builder();
        await ManifestReader.ReadAsync(file, (_, part) => layout.Add(part), Token);
        Report("manifest read", Count * 60L); // a layout has 40 bytes a part

        Assert.Equal((long)Count * Size, layout.Complete(manifest.Objects).Length);
        Assert.Equal((Count + 9_999) / 10_000, sizes.Count);
        Assert.InRange(file.Length / Count, 90, 140); // with the state of every fourth of 40,000 parts

        PartRecord Sampled(PartRecord part)
        {
            if (part.Number % (Count / 4) == 0)
                Sample();
            return part;
        }

        ValueTask WriteAsync(ReadOnlyMemory<byte> piece, CancellationToken cancellationToken)
        {
            if (++pieces % 100 == 0)
                Sample();
            return file.WriteAsync(piece, cancellationToken);
        }
    }

    private void Begin()
    {
        _time.Restart();
        _before = GC.GetTotalMemory(forceFullCollection: true);
    }

    /// <summary>Measures what is in use amid a step.</summary>
    private void Sample() => _most = Math.Max(_most, GC.GetTotalMemory(forceFullCollection: true) - _before);

    /// <param name="kept">Bytes that the step may keep.</param>
    private void Report(string what, long kept = 0)
    {
        Sample();
        var figures =
            $"{Count} parts: {what} after {_time.Elapsed.TotalSeconds:0.0} s, at most {_most >> 10} KiB in use";
        TestContext.Current.TestOutputHelper!.WriteLine(figures);
        if (RandomTest.IsSoak)
            Console.WriteLine(figures);
        Assert.InRange(_most, long.MinValue, kept + (4L << 20));
    }

    private static CompleteRequest Request()
    {
        using var digest = new PartsDigest();
        for (var number = 0; number < Count; number++)
            digest.TryAdd(Digest);
        return new CompleteRequest
        {
            Parts = Count,
            StreamBytes = 8471096,
            PartsSha256 = digest.ToHex(),
        };
    }

    private void Fill()
    {
        using var connection = _database.Open();
        using var command = connection.Query(
            """
            WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < @count)
            INSERT INTO upload_parts (
                upload_id, part, stored_offset, size_bytes, sha256, receipt, start_state, end_state, end_checksum
            )
            SELECT
                'one', n, (n - 1) * @size, @size, @digest, '',
                CASE WHEN n = 1 THEN @start ELSE printf('%s%d', @middle, n - 1) END,
                CASE WHEN n = @count THEN @end ELSE printf('%s%d', @middle, n) END,
                CASE WHEN n = @count THEN '1:2:3:4' END
            FROM numbers
            """,
            ("@count", (long)Count),
            ("@size", (long)Size),
            ("@digest", Digest),
            ("@start", ParserState.Start.FormatWithoutBegin()),
            ("@middle", new string('s', 130)),
            ("@end", End)
        );
        command.ExecuteNonQuery();
    }
}
