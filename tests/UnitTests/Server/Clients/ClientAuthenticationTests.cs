using System.Net;
using Microsoft.AspNetCore.Http;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.UnitTests.Server.Clients;

public sealed class ClientAuthenticationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly SetTime _time = new(DateTimeOffset.UnixEpoch.AddYears(60));
    private readonly AuthenticationLimit _limit;
    private readonly AuthenticationFailures _failures;
    private readonly ClientAuthentication _authentication;

    public ClientAuthenticationTests()
    {
        var settings = TestSettings.In(_folder);
        var first = new ClientEntry { ClientId = "a", ApiKey = ApiKey.Hash("first") };
        ClientsFile.Change(settings.ClientsFile, _ => [
                ClientAdministration.Rotate(first, "second", 1, _time.GetUtcNow()),
                new ClientEntry
                {
                    ClientId = "off",
                    ApiKey = ApiKey.Hash("off's"),
                    Enabled = false,
                },
            ]);
        _failures = new AuthenticationFailures(new Outbox(new CatalogueDatabase(settings)), _time);
        _limit = new AuthenticationLimit(settings, _time);
        _authentication = new ClientAuthentication(
            new ClientRegistry(settings, _time, new KeptLog<ClientRegistry>()),
            _limit,
            _failures,
            _time
        );
    }

    public void Dispose()
    {
        _limit.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Both_keys_authenticate_with_the_client_id_and_without()
    {
        foreach (var key in (string[])["first", "second"])
        {
            Assert.Equal("a", _authentication.Authenticate(Request("a", key)).Client.ClientId);
            Assert.Equal("a", _authentication.Authenticate(Request(null, key)).Client.ClientId);
        }

        _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(401, Refuse("a", "first").Status);
        Assert.Equal(401, Refuse(null, "first").Status);
        Assert.Equal("a", _authentication.Authenticate(Request("a", "second")).Client.ClientId);
    }

    [Fact]
    public void After_too_many_failures_the_right_key_is_refused_too()
    {
        for (var failure = 0; failure < 10; failure++)
            Assert.Equal(401, Refuse("a", "wrong").Status);

        var refused = Refuse("a", "second");

        Assert.Equal(
            (429, "too_many_failures", TimeSpan.FromMinutes(1)),
            (refused.Status, refused.Error.Code, refused.RetryAfter)
        );
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal("a", _authentication.Authenticate(Request("a", "second")).Client.ClientId);
    }

    [Fact]
    public void Failures_are_events_with_their_reason_and_without_the_key()
    {
        Refuse("a", "secret-1");
        Refuse("secret-2", "secret-3");
        Refuse("off", "off's");
        Refuse("a", null);

        var events = _failures.Take(atEnd: false);
        Assert.Equal(
            [("a", "wrong name or key"), (null, "wrong name or key"), ("off", "disabled"), ("a", "no key")],
            events.Select(e => (e.ClientId, e.Details!["reason"]))
        );
        Assert.All(events, e => Assert.Equal((ServerEvents.AuthFailed, "192.0.2.1"), (e.Event, e.Address)));
    }

    [Fact]
    public void The_same_failure_is_one_event_and_one_with_the_number_of_the_others_of_the_hour()
    {
        for (var failure = 0; failure < 8; failure++)
            Refuse("a", "wrong");

        Assert.Single(_failures.Take(atEnd: false));
        Assert.Empty(_failures.Take(atEnd: false));
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal("7", Assert.Single(_failures.Take(atEnd: false)).Details!["more"]);
        Refuse("a", "wrong");
        Refuse("a", "wrong");
        Assert.Equal(2, _failures.Take(atEnd: true).Count);
    }

    private RequestException Refuse(string? id, string? key) =>
        Assert.Throws<RequestException>(() => _authentication.Authenticate(Request(id, key)));

    private static HttpRequest Request(string? id, string? key)
    {
        var context = new DefaultHttpContext();
        context.Connection.RemoteIpAddress = IPAddress.Parse("192.0.2.1");
        if (id is not null)
            context.Request.Headers["X-Client-ID"] = id;
        if (key is not null)
            context.Request.Headers["X-API-Key"] = key;
        return context.Request;
    }
}
