using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Http;

/// <summary>
/// Limits the connections in all and of one address, before anything is read from them: whoever opens them has shown no
/// key yet. Those above a limit are closed at once. This machine may open all of them: a proxy here does it for all
/// clients. Kestrel's own limit knows no addresses, and logs every connection that it closes.
/// </summary>
internal sealed partial class ConnectionLimits(
    ServerSettings settings,
    TimeProvider time,
    ILogger<ConnectionLimits> logger
)
{
    private static readonly TimeSpan BetweenWarnings = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _ofNetworks = new(StringComparer.Ordinal);
    private int _all;
    private long? _warned;

    /// <summary>The connection middleware.</summary>
    public ConnectionDelegate Before(ConnectionDelegate next) => connection => RunAsync(connection, next);

    /// <summary>How many connections one address may have.</summary>
    internal static int MostOf(IPAddress? address, ServerSettings settings) =>
        PeerNetwork.IsThisMachine(address) ? settings.MaxConnections : settings.MaxConnectionsPerAddress;

    private async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var address = (connection.RemoteEndPoint as IPEndPoint)?.Address;
        var network = PeerNetwork.Of(address);
        if (!TryEnter(network, MostOf(address, settings)))
        {
            Warn(address);
            connection.Abort();
            return;
        }

        try
        {
            KeepAlive(connection);
            await next(connection);
        }
        finally
        {
            Leave(network);
        }
    }

    private bool TryEnter(string network, int most)
    {
        lock (_lock)
        {
            var ofNetwork = _ofNetworks.GetValueOrDefault(network);
            if (_all >= settings.MaxConnections || ofNetwork >= most)
                return false;
            _all++;
            _ofNetworks[network] = ofNetwork + 1;
            return true;
        }
    }

    private void Leave(string network)
    {
        lock (_lock)
        {
            _all--;
            if (--_ofNetworks[network] == 0)
                _ofNetworks.Remove(network);
        }
    }

    private static void KeepAlive(ConnectionContext connection)
    {
        if (connection.Features.Get<IConnectionSocketFeature>()?.Socket is not { } socket)
            return;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        Set(SocketOptionName.TcpKeepAliveTime, (int)Limits.KeepAliveAfter.TotalSeconds);
        Set(SocketOptionName.TcpKeepAliveInterval, (int)Limits.KeepAliveInterval.TotalSeconds);
        Set(SocketOptionName.TcpKeepAliveRetryCount, Limits.KeepAliveQuestions);

        void Set(SocketOptionName option, int value) => socket.SetSocketOption(SocketOptionLevel.Tcp, option, value);
    }

    private void Warn(IPAddress? address)
    {
        lock (_lock)
        {
            if (_warned is { } last && time.GetElapsedTime(last) < BetweenWarnings)
                return;
            _warned = time.GetTimestamp();
        }

        LogRefused(address, settings.MaxConnections, settings.MaxConnectionsPerAddress);
    }

    [LoggerMessage(
        LogLevel.Warning,
        "Connections are closed unread, the last one from {Address}: MAX_CONNECTIONS allows {All}, "
            + "MAX_CONNECTIONS_PER_ADDRESS {PerAddress}"
    )]
    private partial void LogRefused(IPAddress? address, int all, int perAddress);
}
