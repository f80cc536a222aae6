using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.UnitTests.Rotation;

namespace ZfsSnapshotManager.UnitTests.Server.Catalogue;

/// <summary>What the status and the list say of backups whose clocks were wrong, in a real catalogue.</summary>
public sealed class BackupSummaryTests : IDisposable
{
    private const string Client = "web1";

    private static readonly DateTimeOffset Yesterday = History.Now.AddDays(-1);

    private readonly TemporaryFolder _folder = new();
    private readonly BackupCatalogue _backups;

    public BackupSummaryTests()
    {
        var database = new CatalogueDatabase(TestSettings.In(_folder));
        database.Prepare();
        _backups = new BackupCatalogue(database);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_snapshot_of_the_future_counts_as_made_when_it_arrived()
    {
        Add(1, made: History.Now.AddYears(5), received: Yesterday);

        var summary = _backups.GetSummary(Client);

        Assert.Equal((1, 1), (summary.Count, summary.Ahead));
        Assert.Equal((Yesterday, Yesterday), (summary.Newest, summary.NewestReceived));
    }

    [Fact]
    public void Right_clocks_are_believed()
    {
        Add(1, made: Yesterday, received: Yesterday.AddHours(2));
        Add(2, made: Yesterday.AddSeconds(-1), received: Yesterday.AddHours(3));

        var summary = _backups.GetSummary(Client);

        Assert.Equal(0, summary.Ahead);
        Assert.Equal((Yesterday, Yesterday.AddHours(3)), (summary.Newest, summary.NewestReceived));
        Assert.Null(_backups.GetSummary("other").Newest);
    }

    [Fact]
    public void The_list_begins_with_what_arrived_last()
    {
        Add(1, made: History.Now.AddYears(5), received: Yesterday);
        Add(2, made: Yesterday, received: History.Now);

        Assert.Equal(["web1/b2", "web1/b1"], _backups.List(Client).Select(backup => backup.SnapshotId));
    }

    private void Add(ulong guid, DateTimeOffset made, DateTimeOffset received) =>
        _backups.AddAll([
            new ListedBackup(
                Client,
                History.Backup(guid, from: null, made) with
                {
                    SnapshotId = $"{Client}/b{guid}",
                    StorageKey = $"{Client}/b{guid}.zfs",
                    Timestamp = made,
                    ReceivedAt = received,
                }
            ),
        ]);
}
