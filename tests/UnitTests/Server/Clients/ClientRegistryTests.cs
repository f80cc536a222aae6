using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Files;

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
    public void Without_the_file_there_are_no_clients()
    {
        File.WriteAllText(Path, Entry("a"));
        _registry.Load();

        File.Delete(Path);

        Assert.Empty(_registry.Current());
    }

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
