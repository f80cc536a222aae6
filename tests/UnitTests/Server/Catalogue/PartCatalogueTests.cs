using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Tests;
using ZfsSnapshotManager.UnitTests.Rotation;

namespace ZfsSnapshotManager.UnitTests.Server.Catalogue;

/// <summary>
/// The parts of uploads in a real catalogue: a part costs the same, however many parts came before it.
/// </summary>
public sealed class PartCatalogueTests : IDisposable
{
    private const string Client = "web1";
    private const string Upload = "one";

    private static readonly int Many = RandomTest.IsSoak ? 1_000_000 : 20_000;

    private static readonly SnapshotStreamInfo Begin = SnapshotStreamInfo.TryParse("7,0,2,0,0,0,61", out var begin)
        ? begin
        : throw new InvalidOperationException("the facts of BEGIN are written in another way");

    private readonly TemporaryFolder _folder = new();
    private readonly CatalogueDatabase _database;
    private readonly PartCatalogue _parts;
    private readonly BackupCatalogue _backups;
    private readonly UploadRecord _upload;

    public PartCatalogueTests()
    {
        _database = new CatalogueDatabase(TestSettings.In(_folder));
        _database.Prepare();
        _parts = new PartCatalogue(_database, new SetTime(History.Now));
        _backups = new BackupCatalogue(_database);
        var uploads = TestUploads.CatalogueIn(_database, new SetTime(History.Now));
        _upload = uploads.Open(TestUploads.Make(Upload, Client))!;
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_part_costs_the_same_however_many_came_before()
    {
        Fill(from: 1, to: 100);
        var few = CatalogueWork.StepsOf(_database, () => Receive(101));

        Fill(from: 102, to: Many);
        var many = CatalogueWork.StepsOf(_database, () => Receive(Many + 1));
        var amid = CatalogueWork.StepsOf(_database, () => Receive(Many / 2));

        TestContext.Current.TestOutputHelper!.WriteLine($"steps: after 100 parts {few}, after {Many} {many}, {amid}");
        Assert.InRange(many, 1, few + 50);
        Assert.InRange(amid, 1, few + 50);
    }

    [Fact]
    public void The_facts_of_the_stream_are_written_once()
    {
        Assert.Equal(1, CatalogueWork.ChangesOf(_database, () => Assert.True(_parts.TrySetBegin(_upload, Begin))));
        Assert.Equal(0, CatalogueWork.ChangesOf(_database, () => Assert.True(_parts.TrySetBegin(_upload, Begin))));
        Assert.False(_parts.TrySetBegin(_upload, Begin with { SnapshotGuid = 8 }));
    }

    [Fact]
    public void What_a_quota_counts_is_read_from_indexes_alone()
    {
        using var connection = _database.Open();
        using var command = connection.Query("EXPLAIN QUERY PLAN " + BackupCatalogue.StoredBytes, ("@client", Client));
        using var rows = command.ExecuteReader();
        List<string> plan = [];
        while (rows.Read())
            plan.Add(rows.GetString(3));

        var searches = plan.FindAll(line => line.StartsWith("SEARCH", StringComparison.Ordinal));
        Assert.Equal(3, searches.Count);
        Assert.All(searches, line => Assert.Contains("COVERING INDEX", line, StringComparison.Ordinal));
        Assert.DoesNotContain(plan, line =>
            line.StartsWith("SCAN", StringComparison.Ordinal) && line != "SCAN CONSTANT ROW"
        );
    }

    [Fact]
    public void The_bytes_of_an_upload_are_always_those_of_its_parts()
    {
        foreach (var draw in RandomTest.Draws(few: 3, many: 200))
        {
            _parts.Clear(_upload);
            for (var step = 0; step < 60; step++)
            {
                var number = draw.Random.Next(1, 12);
                switch (draw.Random.Next(8))
                {
                    case 0:
                        _parts.RemoveFrom(_upload, number);
                        break;
                    case 1 when step % 10 == 0:
                        _parts.Clear(_upload);
                        break;
                    default:
                        _parts.Put(_upload, Part(number, draw.Random.Next(1000), draw.Random.Next(1, 1000)));
                        break;
                }

                var sum = _parts.Walk(Upload).Sum(part => (long)part.Size);
                Assert.True((0, sum) == _backups.GetStoredBytes(Client), $"{draw}: step {step}");
            }
        }
    }

    [Fact]
    public void A_part_fits_if_it_overlaps_none_and_is_on_the_right_side_of_all()
    {
        foreach (var draw in RandomTest.Draws(few: 3, many: 200))
        {
            _parts.Clear(_upload);
            List<PartRecord> stored = [];
            var end = 0;
            for (var number = 1; number < 20; number++)
            {
                end += draw.Random.Next(3); // gaps, too
                var part = Part(number, end, draw.Random.Next(1, 5));
                end += part.Size;
                if (draw.Random.Next(3) == 0)
                    continue;
                _parts.Put(_upload, part);
                stored.Add(part);
            }

            for (var attempt = 0; attempt < 200; attempt++)
            {
                var part = Part(draw.Random.Next(1, 22), draw.Random.Next(end + 3), draw.Random.Next(1, 6));
                var fits = stored.TrueForAll(other =>
                    other.Number == part.Number
                    || (
                        other.Number < part.Number
                            ? other.StoredEnd <= part.StoredOffset
                            : part.StoredEnd <= other.StoredOffset
                    )
                );
                Assert.True(
                    fits == _parts.FitsBetween(Upload, part.Number, part.StoredOffset, part.StoredEnd),
                    $"{draw}: part {part.Number} at {part.StoredOffset}, {part.Size} bytes, fits: {fits}"
                );
            }
        }
    }

    [Fact]
    public void An_upload_of_an_earlier_version_counts_what_it_has()
    {
        var older = new CatalogueDatabase(TestSettings.In(_folder, ("METADATA_FILE", _folder.File("older.db"))));
        older.Prepare(version: 7);
        using (var connection = older.Open())
        {
            using var command = connection.Query(
                """
                INSERT INTO uploads (
                    upload_id, client_id, snapshot_id, storage_key, dataset_name, snapshot_name, snapshot_guid,
                    compression, send_flags, touched_at
                )
                VALUES ('one', 'web1', 'a', 'a.zfs', 'tank', '', '', 'none', '', 0);
                INSERT INTO upload_parts (
                    upload_id, part, stored_offset, size_bytes, sha256, receipt, start_state, end_state
                )
                VALUES ('one', 1, 0, 30, '', '', '', ''), ('one', 2, 30, 12, '', '', '', '')
                """
            );
            command.ExecuteNonQuery();
        }

        older.Prepare();

        Assert.Equal((0, 42), new BackupCatalogue(older).GetStoredBytes(Client));
    }

    /// <summary>What S3 has locked under the old key is deleted later, and counts until then.</summary>
    [Fact]
    public void An_upload_that_gets_another_key_has_no_parts_and_one_event()
    {
        var uploads = TestUploads.CatalogueIn(_database, new SetTime(History.Now));
        Receive(1);
        var upload = uploads.Find(Client, Upload)!;
        var replaced = ServerEvent.Of(ServerEvents.UploadReplaced, EventActor.Client, History.Now);

        var moved = uploads.TryMove(upload, "web1/tank_data~2", "web1/tank_data~2.zfs", storedBytes: 10, replaced);

        Assert.Equal("web1/tank_data~2.zfs", moved?.StorageKey);
        Assert.Equal((10, 0), _backups.GetStoredBytes(Client));
        Assert.Empty(_parts.Walk(Upload));
        Assert.Equal(replaced.Id, Assert.Single(_database.Outbox.List(-1)).Event?.Id);
    }

    /// <summary>What the server asks and writes for each part.</summary>
    private void Receive(int number)
    {
        Assert.Null(_parts.Find(Upload, number + (2 * Many)));
        _backups.GetStoredBytes(Client);
        Assert.True(_parts.TrySetBegin(_upload, Begin));
        Assert.True(_parts.FitsBetween(Upload, number, (number - 1) * 10L, number * 10L));
        Assert.Null(_parts.FindObject(Upload, number / 10_000));
        Assert.True(_parts.Put(_upload, Part(number, (number - 1) * 10, 10)));
    }

    private void Fill(int from, int to)
    {
        using var connection = _database.Open();
        using var command = connection.Query(
            """
            WITH RECURSIVE numbers (n) AS (SELECT @from UNION ALL SELECT n + 1 FROM numbers WHERE n < @to)
            INSERT INTO upload_parts (
                upload_id, part, stored_offset, size_bytes, sha256, receipt, start_state, end_state
            )
            SELECT @upload, n, (n - 1) * 10, 10, '', '', '', '' FROM numbers
            """,
            ("@from", (long)from),
            ("@to", (long)to),
            ("@upload", Upload)
        );
        command.ExecuteNonQuery();
    }

    private static PartRecord Part(int number, int offset, int size) =>
        new()
        {
            Number = number,
            StoredOffset = offset,
            Size = size,
            Sha256 = "",
            Receipt = "",
            StartState = "",
            EndState = "",
            EndChecksum = null,
        };
}
