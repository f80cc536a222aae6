using System.Net;
using Microsoft.AspNetCore.Http;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.UnitTests.Server.Clients;

public sealed class RequestEventsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly SetTime _time = new(DateTimeOffset.UnixEpoch.AddYears(60));
    private readonly CatalogueDatabase _database;
    private readonly RequestEvents _events;

    public RequestEventsTests()
    {
        _database = new CatalogueDatabase(TestSettings.In(_folder));
        _database.Prepare();
        _events = new RequestEvents(_database, _time, new KeptLog<RequestEvents>());
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_same_read_is_one_event_an_hour()
    {
        for (var request = 0; request < 100; request++)
            Read("a", "192.0.2.1", "a/1");
        Read("a", "192.0.2.1", "a/2");
        Read("a", "192.0.2.2", "a/1");
        Read("b", "192.0.2.1", "a/1");
        Assert.Equal(4, _database.Outbox.List(-1).Count);

        _time.Advance(TimeSpan.FromHours(1));
        Read("a", "192.0.2.1", "a/1");

        Assert.Equal(5, _database.Outbox.List(-1).Count);
    }

    [Fact]
    public void A_read_whose_event_could_not_be_written_is_published_by_the_next_one()
    {
        Run("ALTER TABLE outbox RENAME TO away");
        Read("a", "192.0.2.1", "a/1");
        Run("ALTER TABLE away RENAME TO outbox");

        Read("a", "192.0.2.1", "a/1");
        Read("a", "192.0.2.1", "a/1");

        Assert.Single(_database.Outbox.List(-1));
    }

    private void Run(string statement)
    {
        using var connection = _database.Open();
        using var command = connection.Query(statement);
        command.ExecuteNonQuery();
    }

    private void Read(string client, string address, string backup)
    {
        var context = new DefaultHttpContext();
        context.Connection.RemoteIpAddress = IPAddress.Parse(address);
        context.Features.Set<Principal>(
            new ClientPrincipal(new ClientEntry { ClientId = client, ApiKey = ApiKey.Hash("key") }, ApiKey.Hash("key"))
        );
        _events.PublishRead(context, ServerEvents.BackupDownloaded, backup);
    }
}
