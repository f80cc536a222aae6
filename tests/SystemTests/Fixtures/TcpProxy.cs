using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>What a network can do to connections.</summary>
internal enum NetworkFault
{
    None,

    /// <summary>What is connected is reset, and so is what connects.</summary>
    Reset,

    /// <summary>Connections end, and nothing listens.</summary>
    Away,

    /// <summary>Nothing arrives any more, and nobody is told: a cable that was pulled.</summary>
    Silence,

    /// <summary>Each piece of an answer arrives late.</summary>
    Delay,

    /// <summary>Answers end after some bytes, and their connections with them.</summary>
    CutAnswers,
}

/// <summary>Stands between a program and a server, passes bytes on, and does what a bad network does.</summary>
internal sealed class TcpProxy : IAsyncDisposable
{
    /// <summary>Of an answer that is cut: less than the shortest head.</summary>
    private const int BytesUntilCut = 40;

    private readonly int _upstreamPort;
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentDictionary<Socket, bool> _sockets = new();
    private readonly ConcurrentBag<Task> _pumps = [];
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Task _accepting;
    private volatile NetworkFault _fault;
    private int _connections;
    private long _toServer;
    private long _toClient;
    private long _silentAfter = long.MaxValue;

    public TcpProxy(int upstreamPort)
    {
        _upstreamPort = upstreamPort;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Bytes that were passed on to the server.</summary>
    public long ToServer => Interlocked.Read(ref _toServer);

    /// <summary>Bytes that were passed on to its clients.</summary>
    public long ToClient => Interlocked.Read(ref _toClient);

    /// <summary>Connections that were made to it.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>How late each piece of an answer arrives with <see cref="NetworkFault.Delay"/>.</summary>
    public TimeSpan Lateness { get; init; } = TimeSpan.FromMilliseconds(150);

    /// <summary>From now on.</summary>
    public NetworkFault Fault
    {
        get => _fault;
        set
        {
            _fault = value;
            if (value is NetworkFault.Reset or NetworkFault.Away)
                CloseAll();
        }
    }

    /// <summary>Lets so many bytes more pass, of both directions together; then there is silence.</summary>
    public void BeSilentAfter(long bytes) => Interlocked.Exchange(ref _silentAfter, ToServer + ToClient + bytes);

    /// <summary>Waits for the silence; what was sent before is on its way to be used.</summary>
    public Task UntilSilentAsync() =>
        Patience.UntilAsync("the network is silent", () => _fault == NetworkFault.Silence);

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Dispose();
        CloseAll();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var pump in _pumps)
            await pump.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            var client = await _listener.AcceptSocketAsync(_end.Token);
            _sockets[client] = true;
            Interlocked.Increment(ref _connections);
            if (_fault is NetworkFault.Reset or NetworkFault.Away)
                Close(client);
            else
                _pumps.Add(ServeAsync(client));
        }
    }

    private async Task ServeAsync(Socket client)
    {
        var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        _sockets[server] = true;
        try
        {
            client.NoDelay = true;
            await server.ConnectAsync(IPAddress.Loopback, _upstreamPort, _end.Token);
            await Task.WhenAny(PumpAsync(client, server, isAnswer: false), PumpAsync(server, client, isAnswer: true));
        }
        catch (SocketException)
        {
            // The server is not there: nor is this connection.
        }
        finally
        {
            Close(client);
            Close(server);
        }
    }

    private async Task PumpAsync(Socket from, Socket to, bool isAnswer)
    {
        var buffer = new byte[64 * 1024];
        int count;
        while ((count = await from.ReceiveAsync(buffer, _end.Token)) > 0)
        {
            while (_fault == NetworkFault.Silence)
                await Task.Delay(50, _end.Token);
            if (isAnswer && _fault == NetworkFault.Delay)
                await Task.Delay(Lateness, _end.Token);
            var isCut = isAnswer && _fault == NetworkFault.CutAnswers;
            var passed = isCut ? Math.Min(count, BytesUntilCut) : count;
            await SendAllAsync(to, buffer.AsMemory(0, passed));
            Interlocked.Add(ref isAnswer ? ref _toClient : ref _toServer, passed);
            if (ToServer + ToClient >= Interlocked.Read(ref _silentAfter))
            {
                Interlocked.Exchange(ref _silentAfter, long.MaxValue);
                _fault = NetworkFault.Silence;
            }

            if (isCut)
                return;
        }
    }

    private async Task SendAllAsync(Socket to, ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[await to.SendAsync(bytes, _end.Token)..];
    }

    private void CloseAll()
    {
        foreach (var socket in _sockets.Keys)
            Close(socket);
    }

    /// <summary>By a reset.</summary>
    private void Close(Socket socket)
    {
        if (!_sockets.TryRemove(socket, out _))
            return;
        socket.Close(0);
    }
}
