using System.Net.Sockets;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Servers;

/// <summary>Peers that open connections and never send a whole request. They have no key.</summary>
public sealed class HalfOpenConnectionTests
{
    private const int Mebibyte = 1024 * 1024;

    [Fact]
    public async Task Four_thousand_half_requests_cost_little_memory_and_shut_nobody_out()
    {
        await using var server = await ServerProcess.StartAsync();
        var before = ProcessMemory.Now(server.ProcessId);
        List<RawConnection> half = [];
        try
        {
            for (var opened = 0; opened < 4000; opened++)
            {
                if (
                    await TryBeginAsync(server, $"GET /health HTTP/1.1\r\nHost: {new string('h', 15_000)}") is { } begun
                )
                    half.Add(begun);
            }

            using var other = await RawConnection.OpenAsync(server, "127.0.0.3");
            await other.SendAsync("GET /health HTTP/1.1\r\nHost: server\r\n\r\n");
            Assert.Equal("HTTP/1.1 200 OK", await other.ReadLineAsync());
            var cost = ProcessMemory.Now(server.ProcessId) - before;
            TestContext.Current.SendDiagnosticMessage(
                $"4,000 half-open connections: {cost / (double)Mebibyte:0.0} MiB"
            );
            Assert.InRange(cost, long.MinValue, 32 * Mebibyte);
            await server.MustLogAsync("MAX_CONNECTIONS_PER_ADDRESS");
            Assert.Equal("HTTP/1.1 408 Request Timeout", await half[0].ReadLineAsync()); // after ten seconds
        }
        finally
        {
            half.ForEach(connection => connection.Dispose());
        }
    }

    /// <returns>Null if the server closed the connection: it has too many of this address.</returns>
    private static async Task<RawConnection?> TryBeginAsync(ServerProcess server, string text)
    {
        RawConnection? connection = null;
        try
        {
            connection = await RawConnection.OpenAsync(server, "127.0.0.2");
            await connection.SendAsync(text);
            return connection;
        }
        catch (SocketException)
        {
            connection?.Dispose();
            return null;
        }
    }
}
