using System.Net.Sockets;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>
/// TCP connections that notice when the other side is gone, even while nothing is sent. Without keep-alive, TCP would
/// not notice a pulled cable (tcp(7)), and a request would wait forever.
/// </summary>
internal static class WatchedConnection
{
    private const int SecondsUntilProbe = 30;
    private const int SecondsBetweenProbes = 10;
    private const int UnansweredProbes = 6;

    public static async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context,
        CancellationToken cancellationToken
    )
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, optionValue: true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, SecondsUntilProbe);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, SecondsBetweenProbes);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, UnansweredProbes);
            await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
