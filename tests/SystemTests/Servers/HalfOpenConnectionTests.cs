using System.Net.Sockets;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Servers;

/// <summary>Peers that open connections and never send a whole request. They have no key.</summary>
public sealed class HalfOpenConnectionTests
{
    private const int Mebibyte = 1024 * 1024;

    private static readonly string HalfRequest = $"GET /health HTTP/1.1\r\nHost: {new string('h', 15_000)}";

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
                if (await TryBeginAsync(server, "127.0.0.2") is { } begun)
                    half.Add(begun);
            }

            Assert.True(await IsServedAsync(server, "127.0.0.3"));
            AssertCost(server, before, 32);
            await server.MustLogAsync("MAX_CONNECTIONS_PER_ADDRESS");
            Assert.Equal("HTTP/1.1 408 Request Timeout", await half[0].ReadLineAsync()); // after ten seconds
        }
        finally
        {
            half.ForEach(connection => connection.Dispose());
        }
    }

    [Fact]
    public async Task From_many_addresses_they_cost_little_memory_and_shut_others_out_for_seconds()
    {
        await using var server = await ServerProcess.StartAsync();
        var before = ProcessMemory.Now(server.ProcessId);
        List<RawConnection> half = [];
        try
        {
            for (var opened = 0; opened < 4000; opened++)
            {
                if (await TryBeginAsync(server, $"127.0.1.{1 + opened / 200}") is { } begun)
                    half.Add(begun);
            }

            AssertCost(server, before, 128);
            await Patience.UntilAsync("another address is served", () => IsServedAsync(server, "127.0.0.3"));
        }
        finally
        {
            half.ForEach(connection => connection.Dispose());
        }
    }

    [Fact]
    public async Task All_addresses_together_have_a_limit_and_a_closed_connection_makes_room()
    {
        await using var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["MAX_CONNECTIONS"] = "40",
                ["MAX_CONNECTIONS_PER_ADDRESS"] = "8",
            }
        );
        List<RawConnection> open = [];
        try
        {
            // Fewer of each address than it may have: what closes the last ones is the limit for all.
            while (open.Count <= 40 && await TryAskAsync(server, $"127.0.1.{1 + open.Count / 6}") is { } served)
                open.Add(served);

            Assert.InRange(open.Count, 38, 40); // a connection of this test's own may count too
            await server.MustLogAsync("MAX_CONNECTIONS allows 40");
            Assert.False(await IsServedAsync(server, "127.0.0.3"));
            open[0].Dispose();
            await Patience.UntilAsync("another address is served", () => IsServedAsync(server, "127.0.0.3"));
        }
        finally
        {
            open.ForEach(connection => connection.Dispose());
        }
    }

    private static void AssertCost(ServerProcess server, long before, int mebibytes)
    {
        var cost = ProcessMemory.Now(server.ProcessId) - before;
        TestContext.Current.SendDiagnosticMessage($"4,000 half-open connections: {cost / (double)Mebibyte:0.0} MiB");
        Assert.InRange(cost, long.MinValue, mebibytes * Mebibyte);
    }

    private static async Task<bool> IsServedAsync(ServerProcess server, string from)
    {
        using var connection = await TryAskAsync(server, from);
        return connection is not null;
    }

    /// <summary>Asks a whole question; the connection stays open.</summary>
    /// <returns>Null if the server closed the connection.</returns>
    private static async Task<RawConnection?> TryAskAsync(ServerProcess server, string from)
    {
        if (await TryBeginAsync(server, from, "GET /health HTTP/1.1\r\nHost: server\r\n\r\n") is not { } connection)
            return null;
        var answer = await connection.ReadLineAsync();
        if (answer == "HTTP/1.1 200 OK")
            return connection;
        connection.Dispose();
        Assert.Equal("", answer);
        return null;
    }

    /// <returns>Null if the server closed the connection: it has too many.</returns>
    private static async Task<RawConnection?> TryBeginAsync(ServerProcess server, string from, string? text = null)
    {
        RawConnection? connection = null;
        try
        {
            connection = await RawConnection.OpenAsync(server, from);
            await connection.SendAsync(text ?? HalfRequest);
            return connection;
        }
        catch (SocketException)
        {
            connection?.Dispose();
            return null;
        }
    }
}
