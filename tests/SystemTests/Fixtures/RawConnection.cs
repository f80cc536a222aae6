using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>A connection to a server that sends and reads what a test wants, when it wants it.</summary>
internal sealed class RawConnection : IDisposable
{
    private readonly Socket _socket;

    private RawConnection(Socket socket) => _socket = socket;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <param name="from">The address of this machine that it comes from.</param>
    public static async Task<RawConnection> OpenAsync(ServerProcess server, string from = "127.0.0.1")
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
        {
            NoDelay = true,
            ReceiveBufferSize = 16 * 1024, // what the kernel holds for it does not count as read
        };
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
            await socket.ConnectAsync(IPAddress.Loopback, server.Port, Token);
            return new RawConnection(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Begins POST /upload-stream with a chunked body; returns once the server reads it.</summary>
    public static async Task<RawConnection> BeginUploadAsync(ServerProcess server, Uploader client, string uploadId)
    {
        var connection = await OpenAsync(server);
        await connection.SendAsync(
            $"POST /upload-stream/{uploadId} HTTP/1.1\r\n{Headers(client)}"
                + "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        Assert.Equal("HTTP/1.1 100 Continue", await connection.ReadLineAsync());
        Assert.Equal("", await connection.ReadLineAsync());
        return connection;
    }

    public async Task SendAsync(ReadOnlyMemory<byte> bytes) => await _socket.SendAsync(bytes, Token);

    public Task SendAsync(string text) => SendAsync(Encoding.ASCII.GetBytes(text));

    public async Task SendChunkAsync(ReadOnlyMemory<byte> bytes)
    {
        await SendAsync($"{bytes.Length:x}\r\n");
        await SendAsync(bytes);
        await SendAsync("\r\n");
    }

    /// <summary>A request without a body.</summary>
    public Task GetAsync(Uploader client, string path) => SendAsync($"GET /{path} HTTP/1.1\r\n{Headers(client)}\r\n");

    /// <summary>The beginning of a request that brings a part.</summary>
    public async Task BeginPartAsync(Uploader client, string uploadId, CutPart part, int bytes)
    {
        await SendAsync(
            $"PUT /upload-stream/{uploadId}/parts/{part.Number} HTTP/1.1\r\n{Headers(client)}"
                + $"Content-Length: {part.Stored.Length}\r\nContent-Digest: {part.ContentDigest}\r\n\r\n"
        );
        await SendAsync(part.Stored.AsMemory(0, bytes));
    }

    /// <summary>The first line of the answer; empty if the connection was closed.</summary>
    public async Task<string> ReadLineAsync()
    {
        var line = new StringBuilder();
        var one = new byte[1];
        while (await ReadAsync(one) == 1 && one[0] != '\n')
            line.Append((char)one[0]);
        return line.ToString().TrimEnd();
    }

    /// <summary>The server's answer up to the last chunk of its body, or up to where the connection ends.</summary>
    public async Task<string> ReadAnswerAsync()
    {
        var received = new StringBuilder();
        var buffer = new byte[4096];
        while (
            !received.ToString().EndsWith("\r\n0\r\n\r\n", StringComparison.Ordinal)
            && await ReadAsync(buffer) is > 0 and var count
        )
            received.Append(Encoding.UTF8.GetString(buffer, 0, count));
        return received.ToString();
    }

    /// <summary>Reads until the server closes the connection.</summary>
    /// <returns>How many bytes came.</returns>
    public async Task<long> ReadToEndAsync()
    {
        var (buffer, read) = (new byte[64 * 1024], 0L);
        while (await ReadAsync(buffer) is > 0 and var count)
            read += count;
        return read;
    }

    /// <summary>Says that nothing more comes.</summary>
    public void EndEarly() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Ends as a crashed machine's connection does.</summary>
    public void Reset() => _socket.Close(0);

    public void Dispose() => _socket.Dispose();

    private static string Headers(Uploader client) =>
        $"Host: server\r\nX-Client-ID: {client.Id}\r\nX-API-Key: {client.Key}\r\n";

    private async Task<int> ReadAsync(Memory<byte> buffer)
    {
        try
        {
            return await _socket.ReceiveAsync(buffer, Token);
        }
        catch (SocketException)
        {
            return 0; // reset
        }
    }
}
