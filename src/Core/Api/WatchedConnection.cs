using System.Net;
using System.Net.Sockets;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>
/// TCP connections that notice when the other side is gone, even while nothing is sent. Without keep-alive, TCP would
/// not notice a pulled cable (tcp(7)), and a request would wait forever.
/// </summary>
public static class WatchedConnection
{
    private const int SecondsUntilProbe = 30;
    private const int SecondsBetweenProbes = 10;
    private const int UnansweredProbes = 6;

    /// <summary>For <see cref="SocketsHttpHandler.ConnectCallback"/>.</summary>
    public static async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context,
        CancellationToken cancellationToken
    )
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        var addresses = await Dns.GetHostAddressesAsync(host, cancellationToken);
        var socket = await AddressRace.RunAsync(
            addresses,
            (address, stop) => ConnectAsync(new IPEndPoint(address, port), stop),
            cancellationToken
        );
        return new NetworkStream(socket, ownsSocket: true);
    }

    private static async Task<Socket> ConnectAsync(IPEndPoint address, CancellationToken cancellationToken)
    {
        // Of the address's own family: a machine without IPv6 has no sockets for both.
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.NoDelay = true;
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, optionValue: true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, SecondsUntilProbe);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, SecondsBetweenProbes);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, UnansweredProbes);
            await socket.ConnectAsync(address, cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
