using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Files;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.UnitTests.Server.Clients;

public sealed class ClientRegistryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly KeptLog<ClientRegistry> _log = new();
    private readonly ClientRegistry _registry;

    public ClientRegistryTests() => _registry = new ClientRegistry(TestSettings.In(_folder), TimeProvider.System, _log);

    private string Path => _folder.File("clients.json");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_file_of_the_same_length_and_time_that_replaced_it_is_noticed()
    {
        File.WriteAllText(Path, Entry("aaa"));
        var time = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(Path, time);
        _registry.Load();

        File.WriteAllText(Path + ".new", Entry("bbb"));
        File.SetLastWriteTimeUtc(Path + ".new", time);
        File.Move(Path + ".new", Path, overwrite: true);

        Assert.Equal("bbb", Assert.Single(_registry.Current()).ClientId);
    }

    [Fact]
    public void A_file_that_is_overwritten_repeatedly_is_read_each_time()
    {
        File.WriteAllText(Path, Entry("c000"));
        _registry.Load();

        for (var number = 1; number < 200; number++)
        {
            // As fast as possible: several changes within one tick of the file system's clock.
            File.WriteAllText(Path, Entry($"c{number:000}"));
            Assert.Equal($"c{number:000}", Assert.Single(_registry.Current()).ClientId);
        }
    }

    [Fact]
    public void A_broken_file_is_reported_once_and_the_last_valid_one_stays_in_force()
    {
        File.WriteAllText(Path, Entry("a"));
        _registry.Load();
        Assert.Null(_registry.Fault);

        File.WriteAllText(Path, "[{]");
        for (var ask = 0; ask < 3; ask++)
            Assert.Equal("a", Assert.Single(_registry.Current()).ClientId);

        Assert.Contains("line 1", _registry.Fault, StringComparison.Ordinal);
        Assert.Contains("The clients stay as they were", Assert.Single(_log.Lines), StringComparison.Ordinal);
        File.WriteAllText(Path, Entry("b"));
        Assert.Null(_registry.Fault);
        Assert.Equal("b", Assert.Single(_registry.Current()).ClientId);
    }

    [Fact]
    public void Without_the_file_there_are_no_clients_and_one_that_disappears_is_a_fault()
    {
        Assert.Equal(0, _registry.Load());
        Assert.Null(_registry.Fault);
        File.WriteAllText(Path, Entry("a"));
        Assert.Single(_registry.Current());

        File.Delete(Path);

        Assert.Equal("a", Assert.Single(_registry.Current()).ClientId);
        Assert.Contains("does not exist any more", _registry.Fault, StringComparison.Ordinal);
        File.WriteAllText(Path, Entry("b"));
        Assert.Equal("b", Assert.Single(_registry.Current()).ClientId);
        Assert.Null(_registry.Fault);
    }

    [Fact]
    public void A_file_that_cannot_be_read_for_a_moment_is_read_again_though_it_does_not_change()
    {
        // Later by the clock than any change of the file: none looks fresh.
        var later = new SetTime(TimeProvider.System.GetUtcNow().AddHours(1));
        var registry = new ClientRegistry(TestSettings.In(_folder), later, _log);
        File.WriteAllText(Path, Entry("a"));
        registry.Load();

        File.WriteAllText(Path, Entry("b"));
        using (new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.None)) // locks it
        {
            Assert.Equal("a", Assert.Single(registry.Current()).ClientId);
            Assert.NotNull(registry.Fault);
        }

        Assert.Equal("b", Assert.Single(registry.Current()).ClientId);
        Assert.Null(registry.Fault);
    }

    [Fact]
    public void A_request_ends_when_its_key_is_no_longer_accepted()
    {
        var time = new SetTime(DateTimeOffset.UnixEpoch.AddYears(90));
        var registry = new ClientRegistry(TestSettings.In(_folder), time, _log);
        var first = new ClientEntry { ClientId = "a", ApiKey = ApiKey.Hash("first") };
        ClientsFile.Change(Path, _ => [first]);
        registry.Load();
        using var old = registry.BeginAccess(Principal(first, "first"), CancellationToken.None);

        var renewed = ClientAdministration.Rotate(first, "second", 1, time.GetUtcNow());
        ClientsFile.Change(Path, _ => [renewed]);
        Assert.Single(registry.Current());
        using var current = registry.BeginAccess(Principal(renewed, "second"), CancellationToken.None);
        registry.EndRefusedAccesses();
        Assert.Equal((false, false), (old.WasEnded, current.WasEnded));

        time.Advance(TimeSpan.FromHours(1));
        registry.EndRefusedAccesses();
        Assert.Equal((true, false), (old.WasEnded, current.WasEnded));
        Assert.True(old.Token.IsCancellationRequested);
        Assert.Throws<RequestException>(() =>
            registry.BeginAccess(Principal(renewed, "first"), CancellationToken.None)
        );

        ClientsFile.Change(Path, _ => [renewed with { Enabled = false }]);
        registry.EndRefusedAccesses();
        Assert.True(current.WasEnded);
        Assert.Throws<RequestException>(() => registry.RequireEnabled("a"));
    }

    private static ClientPrincipal Principal(ClientEntry client, string key) => new(client, ApiKey.Hash(key));

    [Fact]
    public void A_state_says_what_the_file_is()
    {
        File.WriteAllText(Path, "12345");
        File.SetLastWriteTimeUtc(Path, new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc));

        var state = FileState.Of(Path)!.Value;

        Assert.Equal(5u, state.Size);
        Assert.Equal(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero), state.Written);
        Assert.True(state.IsFresh(TimeProvider.System.GetUtcNow()));
        Assert.False(state.IsFresh(state.Changed.AddSeconds(2)));
        Assert.NotEqual(0u, state.Inode);
        Assert.Null(FileState.Of(Path + ".none"));
    }

    private static string Entry(string id) => $"[{{\"client_id\": \"{id}\", \"api_key\": \"{ApiKey.Hash("x")}\"}}]";
}
