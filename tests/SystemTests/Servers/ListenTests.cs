using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Servers;

/// <summary>
/// Where the server listens if nothing is said about it. <see cref="ServerLifeTests"/> has a machine without IPv6.
/// </summary>
public sealed class ListenTests
{
    /// <summary>The addresses of this machine's loopback: that of IPv6 only where it can be used.</summary>
    private static IEnumerable<IPAddress> Loopback =>
        NetworkInterface
            .GetAllNetworkInterfaces()
            .SelectMany(network => network.GetIPProperties().UnicastAddresses)
            .Select(unicast => unicast.Address)
            .Where(IPAddress.IsLoopback)
            .Where(address => Socket.OSSupportsIPv6 || address.AddressFamily == AddressFamily.InterNetwork);

    [Fact]
    public async Task By_default_it_listens_on_all_addresses_and_warns_that_there_is_no_tls()
    {
        await using var server = await ServerProcess.StartAsync();
        Assert.DoesNotContain("Without TLS", server.Log, StringComparison.Ordinal); // it listens on 127.0.0.1
        await server.StopAsync();

        await server.StartAgainAsync(new Dictionary<string, string>(StringComparer.Ordinal) { ["BIND_ADDRESS"] = "" });

        await server.MustLogAsync($"Serving on http://{(Socket.OSSupportsIPv6 ? "[::]" : "0.0.0.0")}:");
        await server.MustLogAsync("Without TLS, keys and backups");
        Assert.NotEmpty(Loopback);
        foreach (var address in Loopback)
        {
            var health = new UriBuilder("http", $"{address}", server.Port, "health").Uri;
            using var answer = await server.Http.GetAsync(health, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
    }
}
