using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.UnitTests.Server.Audit;

public sealed class EventDeliveryTests : IDisposable
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddYears(60);

    private readonly TemporaryFolder _folder = new();
    private readonly KeptLog<EventLog> _log = new();
    private readonly KeptLog<AuditLog> _faults = new();
    private readonly CatalogueDatabase _database;
    private readonly EventDelivery _delivery;

    public EventDeliveryTests()
    {
        var settings = TestSettings.In(_folder);
        _database = new CatalogueDatabase(settings);
        _database.Prepare();
        _delivery = new EventDelivery(
            _database.Outbox,
            new AuditLog(settings, TimeProvider.System, _faults),
            new EventLog(_log)
        );
    }

    private string Path => _folder.File("audit.log");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Events_are_delivered_in_order_and_once()
    {
        for (var number = 0; number < 600; number++) // several batches
            Publish($"{number}");

        _delivery.Run();
        _delivery.Run();

        Assert.Equal(Enumerable.Range(0, 600).Select(number => $"{number}"), Written());
        Assert.Empty(_database.Outbox.List(-1));
        Assert.Equal(600, _log.Lines.Count);
        Assert.Equal("Information: Deleted 0 of web1: 17 bytes", _log.Lines[0]);
    }

    [Fact]
    public void What_cannot_be_written_stays_and_is_delivered_later()
    {
        Directory.CreateDirectory(Path); // nothing can be appended to a directory
        Publish("1");
        _delivery.Run();
        Assert.Single(_database.Outbox.List(-1));
        Assert.Contains("cannot be written", Assert.Single(_faults.Lines), StringComparison.Ordinal);

        Directory.Delete(Path);
        Publish("2");
        _delivery.Run();

        Assert.Equal(["1", "2"], Written());
    }

    [Fact]
    public void An_event_that_cannot_be_read_stops_none_of_the_others()
    {
        Publish("1");
        using (var connection = _database.Open())
        using (var insert = connection.Query("INSERT INTO outbox (event) VALUES ('{')"))
            insert.ExecuteNonQuery();
        Publish("3");

        _delivery.Run();

        Assert.Equal(["1", "3"], Written());
        Assert.Empty(_database.Outbox.List(-1));
        Assert.Equal("Error: The event 2 of the catalogue is damaged; the audit log will not have it", _log.Lines[1]);
    }

    private IEnumerable<string> Written() =>
        new AuditQuery { Limit = 1000 }
            .Run([Path], [])
            .Events.Select(e => e.SnapshotId!);

    private void Publish(string id) =>
        _database.Outbox.Publish(
            ServerEvent.Of(ServerEvents.BackupDeleted, EventActor.Server, Now, ("stored_bytes", "17")) with
            {
                ClientId = "web1",
                SnapshotId = id,
            }
        );
}
