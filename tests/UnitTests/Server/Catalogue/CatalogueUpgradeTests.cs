using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Catalogue;

namespace ZfsSnapshotManager.UnitTests.Server.Catalogue;

/// <summary>A catalogue of version 0.1 is upgraded with all that it lists.</summary>
public sealed class CatalogueUpgradeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly CatalogueDatabase _database;

    public CatalogueUpgradeTests()
    {
        _database = new CatalogueDatabase(TestSettings.In(_folder));
        using (var connection = _database.Open())
        using (var command = connection.CreateCommand())
        {
            command.CommandText = File.ReadAllText(
                Path.Combine(AppContext.BaseDirectory, "Server", "Catalogue", "schema-5.sql")
            );
            command.ExecuteNonQuery();
        }

        SqliteConnection.ClearAllPools();
        _database.Prepare();
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Backups_and_the_id_stay_and_no_machine_is_known()
    {
        var backup = Assert.Single(new BackupCatalogue(_database).List("web1"));

        Assert.Equal("c0ffee", _database.Id);
        Assert.Equal("web1/tank_data_2024-02-13", backup.SnapshotId);
        Assert.Null(backup.MachineId);
        Assert.Null(new MachineCatalogue(_database, TimeProvider.System).FindNewest("web1", "tank/data"));
        Assert.Equal(CatalogueDatabase.CurrentVersion, _database.Inspect());
    }

    [Theory]
    [InlineData("object", "web1/a.zfs.gz", null, null, nameof(UploadState.Committing))]
    [InlineData("waiting", null, "backup/clients/web1", null, nameof(UploadState.Receiving))]
    [InlineData(
        "begun",
        null,
        "backup/clients/web1",
        "backup/clients/web1/tank_c@three",
        nameof(UploadState.Receiving)
    )]
    [InlineData(
        "noted",
        null,
        "backup/clients/web1",
        "backup/clients/web1/tank_d@four",
        nameof(UploadState.Committing)
    )]
    public void The_key_of_an_upload_becomes_what_it_was_and_its_state_what_it_may_be(
        string id,
        string? objectKey,
        string? dataset,
        string? snapshot,
        string state
    )
    {
        var upload = TestUploads.CatalogueIn(_database, TimeProvider.System).Find("web1", id)!;

        Assert.Equal(objectKey, upload.ObjectKey);
        Assert.Equal(dataset, upload.ZfsDataset);
        Assert.Equal(snapshot is null ? null : SnapshotName.Parse(snapshot), upload.ZfsSnapshot);
        Assert.Equal(state, upload.State.ToString());
    }
}
