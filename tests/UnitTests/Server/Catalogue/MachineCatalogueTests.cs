using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.UnitTests.Rotation;

namespace ZfsSnapshotManager.UnitTests.Server.Catalogue;

/// <summary>Which machines use a client's id, and the id of the catalogue itself, in a real catalogue.</summary>
public sealed class MachineCatalogueTests : IDisposable
{
    private const string Client = "web1";

    private readonly TemporaryFolder _folder = new();
    private readonly KeptLog<MachineCatalogue> _log = new();
    private readonly SetTime _time = new(History.Now);
    private readonly CatalogueDatabase _database;
    private readonly MachineCatalogue _machines;

    public MachineCatalogueTests()
    {
        _database = new CatalogueDatabase(TestSettings.In(_folder));
        _database.Prepare();
        _machines = new MachineCatalogue(_database, _time);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_dataset_belongs_to_the_machine_whose_backup_came_last()
    {
        Add(1, "nas", 1);
        Add(2, "clone", 2);
        Add(3, null, 3);
        Add(4, "other", 4, "tank/other");

        Assert.Equal("clone", _machines.FindNewest(Client, "tank/data")?.MachineName);
        Assert.Null(_machines.FindNewest(Client, "tank/nothing"));
        Assert.Null(_machines.FindNewest("web2", "tank/data"));
        Assert.Equal(["other", "clone", "nas"], _machines.List(Client).Select(machine => machine.MachineName));
    }

    [Fact]
    public void Refused_machines_are_listed_until_they_take_over_and_never_more_than_twenty()
    {
        Add(1, "nas", 1);
        for (var number = 0; number < 30; number++)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            _machines.AddRefused(Client, $"{number:x16}", $"clone{number}", "tank/data");
        }

        var refused = _machines.List(Client).Where(machine => machine.RefusedDataset == "tank/data").ToList();
        Assert.Equal(20, refused.Count);
        Assert.Equal("clone29", refused[0].MachineName);

        _machines.EndRefusal(Client, refused[0].MachineId);

        Assert.DoesNotContain(_machines.List(Client), machine => machine.MachineName == "clone29");
    }

    [Fact]
    public void A_machine_that_stays_away_after_it_was_refused_is_forgotten()
    {
        Add(1, "nas", 1);
        _machines.AddRefused(Client, "clone", "clone", "tank/data");
        _machines.AddRefused("web2", "clone", "clone", "tank/data");

        _time.Advance(TimeSpan.FromDays(29));
        Assert.Contains(_machines.List(Client), machine => machine.MachineName == "clone");
        _time.Advance(TimeSpan.FromDays(2));
        Assert.Equal(["nas"], _machines.List(Client).Select(machine => machine.MachineName));

        _machines.AddRefused(Client, "other", "other", "tank/data");
        using var connection = _database.Open();
        using var count = connection.Query("SELECT COUNT(*) FROM refused_machines");
        Assert.Equal(1L, count.ExecuteScalar());
    }

    [Fact]
    public void A_machine_that_was_renamed_has_the_name_that_it_had_last()
    {
        Add(1, "nas", 1);
        Add(2, "nas", 2, name: "zebra");
        Add(3, "nas", 3, name: "aardvark");
        Add(4, "nas", 0, name: "first");
        _machines.AddRefused(Client, "nas", "refused-as", "tank/other");

        var machine = Assert.Single(_machines.List(Client));

        Assert.Equal(("aardvark", "tank/other"), (machine.MachineName, machine.RefusedDataset));
        Assert.Equal(History.Now.AddMinutes(3), machine.LastSeen);
    }

    [Fact]
    public void A_machine_of_the_same_id_and_another_name_that_sends_another_snapshot_is_a_clone()
    {
        var idle = TimeSpan.FromMinutes(15);
        TestUploads.CatalogueIn(_database, _time).Open(Upload("first", 1));

        Assert.Equal("first", _machines.FindClone(Upload("second", 2), idle)?.MachineName);
        Assert.Equal("first", _machines.FindClone(Upload("second", null), idle)?.MachineName);
        Assert.Null(_machines.FindClone(Upload("first", 2), idle));
        Assert.Null(_machines.FindClone(Upload("second", 1), idle)); // it was renamed, and resumes
        Assert.Null(_machines.FindClone(Upload("second", 2) with { MachineId = "other" }, idle));
        _time.Advance(idle);
        Assert.Null(_machines.FindClone(Upload("second", 2), idle));
    }

    /// <summary>5: of the release before. 6: with the effective properties, and without machines.</summary>
    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    public void An_older_catalogue_is_upgraded_with_what_it_lists(int version)
    {
        var older = new CatalogueDatabase(TestSettings.In(_folder, ("METADATA_FILE", _folder.File("older.db"))));
        older.Prepare(version);
        using (var connection = older.Open())
        {
            using var command = connection.Query(
                """
                INSERT INTO backups (
                    snapshot_id, storage_key, client_id, dataset_name, snapshot_name, snapshot_guid, from_guid,
                    dataset_type, timestamp, received_at, size_bytes, stream_bytes, compression, raw, features,
                    send_flags, sha256
                )
                VALUES (
                    'web1/a', 'web1/a.zfs', 'web1', 'tank/data', 'a', '7', '', 'filesystem', 1, 1000, 1, 1, 'none', 0,
                    '', '', ''
                )
                """
            );
            command.ExecuteNonQuery();
        }

        Assert.Equal(version, older.Inspect());
        older.Prepare();

        Assert.Equal(CatalogueDatabase.CurrentVersion, older.Inspect());
        Assert.Null(Assert.Single(new BackupCatalogue(older).List(Client)).MachineId);
    }

    [Fact]
    public void A_catalogue_that_was_lost_gets_its_id_again()
    {
        var settings = TestSettings.In(_folder);
        CatalogueIdFile.Keep(_database, settings, _log);
        var id = _database.Id;
        SqliteConnection.ClearAllPools();
        foreach (var file in Directory.GetFiles(_folder.Path, "metadata.db*"))
            File.Delete(file);

        Assert.Equal(id, CatalogueIdFile.Find(settings));
        var next = new CatalogueDatabase(settings);
        next.Prepare();
        CatalogueIdFile.Keep(next, settings, _log);

        Assert.Equal(id, next.Id);
        Assert.Empty(_log.Lines);
    }

    /// <summary>As on a full disk: the catalogue has its id, and only the copy cannot be written.</summary>
    [Fact]
    public void An_id_that_cannot_be_kept_beside_the_catalogue_is_a_warning()
    {
        var settings = TestSettings.In(_folder);
        var id = _database.Id;
        Directory.CreateDirectory(_folder.File("catalogue-id.tmp"));

        CatalogueIdFile.Keep(_database, settings, _log);

        Assert.Equal(id, _database.Id);
        Assert.Null(CatalogueIdFile.Find(settings));
        var line = Assert.Single(_log.Lines);
        Assert.StartsWith("Warning: The catalogue's id could not be kept in ", line, StringComparison.Ordinal);
        Assert.Contains("start the server again", line, StringComparison.Ordinal);
    }

    [Fact]
    public void An_id_that_is_known_is_read_without_writing()
    {
        var id = _database.Id;
        using (var connection = _database.Open())
        {
            using var block = connection.Query("BEGIN IMMEDIATE");
            block.ExecuteNonQuery(); // another writer would have to wait

            Assert.Equal(id, new CatalogueDatabase(TestSettings.In(_folder)).Id);
        }
    }

    private void Add(ulong guid, string? machine, int minute, string dataset = "tank/data", string? name = null) =>
        new BackupCatalogue(_database).AddAll([
            new ListedBackup(
                Client,
                History.Backup(guid, from: null, History.Now.AddMinutes(minute), dataset: dataset) with
                {
                    SnapshotId = $"{Client}/{guid}",
                    StorageKey = $"{Client}/{guid}.zfs",
                    MachineId = machine,
                    MachineName = name ?? machine,
                }
            ),
        ]);

    private static UploadRecord Upload(string machine, ulong? guid) =>
        new()
        {
            UploadId = $"{guid}",
            ClientId = Client,
            SnapshotId = $"{Client}/{guid}",
            ObjectKey = $"{Client}/{guid}.zfs",
            DatasetName = DatasetName.Parse("tank/data"),
            SnapshotName = "s",
            SnapshotGuid = guid is { } known ? new SnapshotGuid(known) : null,
            KindIsGiven = guid is not null,
            FromGuid = null,
            Compression = CompressionFormat.None,
            Raw = false,
            SendFlags = [],
            SnapshotType = SnapshotType.Manual,
            MachineId = "nas",
            MachineName = machine,
        };
}
