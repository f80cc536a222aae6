using System.Net;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.UnitTests.Server.Http;

public sealed class ConnectionLimitsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A proxy on this machine passes on the requests of all clients.</summary>
    [Theory]
    [InlineData("127.0.0.1", 100)]
    [InlineData("::1", 100)]
    [InlineData("::ffff:127.0.0.1", 100)]
    [InlineData("192.0.2.1", 8)]
    [InlineData("2001:db8::1", 8)]
    public void The_limit_of_one_address_is_not_for_this_machine(string address, int most)
    {
        var settings = TestSettings.In(_folder, ("MAX_CONNECTIONS", "100"), ("MAX_CONNECTIONS_PER_ADDRESS", "8"));

        Assert.Equal(most, ConnectionLimits.MostOf(IPAddress.Parse(address), settings));
    }
}
