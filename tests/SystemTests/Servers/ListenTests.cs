using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Servers;

/// <summary>Where the server listens if nothing is said about it.</summary>
public sealed class ListenTests
{
    [Fact]
    public async Task By_default_it_listens_on_all_addresses_and_warns_that_there_is_no_tls()
    {
        await using var server = await ServerProcess.StartAsync();
        Assert.DoesNotContain("Without TLS", server.Log, StringComparison.Ordinal); // it listens on 127.0.0.1
        await server.StopAsync();

        await server.StartAgainAsync(new Dictionary<string, string>(StringComparer.Ordinal) { ["BIND_ADDRESS"] = "" });

        await server.MustLogAsync("Serving on http://[::]:");
        await server.MustLogAsync("Without TLS, keys and backups");
    }
}
