using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.UnitTests.Rotation;

namespace ZfsSnapshotManager.UnitTests.Server.Catalogue;

/// <summary>Notes of objects that were begun, in a real catalogue.</summary>
public sealed class BegunObjectsTests : IDisposable
{
    private const string Key = "web1/tank_data.zfs";

    private static readonly HashSet<string> None = [];

    private readonly TemporaryFolder _folder = new();
    private readonly CatalogueDatabase _database;
    private readonly BegunObjects _begun;

    public BegunObjectsTests()
    {
        _database = new CatalogueDatabase(TestSettings.In(_folder));
        _database.Prepare();
        _begun = new BegunObjects(_database, new SetTime(History.Now));
        _begun.Note(Key);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_note_of_what_is_complete_is_forgotten()
    {
        _begun.Forget(History.Now, None);
        Assert.True(_begun.Contains(Key));

        _begun.Forget(History.Now.AddHours(1), new HashSet<string>(StringComparer.Ordinal) { Key });
        Assert.True(_begun.Contains(Key));

        _begun.Forget(History.Now.AddHours(1), None);
        Assert.False(_begun.Contains(Key));
    }

    /// <summary>The server cleans up when it starts: a full disk must not keep it from that.</summary>
    [Fact]
    public void A_catalogue_that_cannot_be_written_keeps_the_note()
    {
        using var connection = _database.Open();
        using var refuse = connection.Query(
            "CREATE TRIGGER refuse BEFORE DELETE ON begun_objects BEGIN SELECT RAISE(FAIL, 'refused'); END"
        );
        refuse.ExecuteNonQuery();

        _begun.Forget(History.Now.AddHours(1), None);

        Assert.True(_begun.Contains(Key));
    }
}
