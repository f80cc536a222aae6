using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>A connection that sends a request by hand, and so can stop in the middle of it.</summary>
internal sealed class BrokenConnection : IDisposable
{
    private readonly TcpClient _connection = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Begins POST /upload-stream with a chunked body.</summary>
    public static async Task<BrokenConnection> BeginUploadAsync(ServerProcess server, Uploader client, string uploadId)
    {
        var broken = new BrokenConnection();
        await broken._connection.ConnectAsync("127.0.0.1", server.Port, Token);
        await broken.WriteAsync(
            Encoding.ASCII.GetBytes(
                $"POST /upload-stream/{uploadId} HTTP/1.1\r\nHost: server\r\nX-Client-ID: {client.Id}\r\nX-API-Key: "
                    + $"{client.Key}\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
        );
        return broken;
    }

    public async Task SendChunkAsync(ReadOnlyMemory<byte> bytes)
    {
        await WriteAsync(Encoding.ASCII.GetBytes(bytes.Length.ToString("x", CultureInfo.InvariantCulture) + "\r\n"));
        await WriteAsync(bytes);
        await WriteAsync("\r\n"u8.ToArray());
    }

    /// <summary>The server's answer up to the last chunk of its body, or up to where the connection ends.</summary>
    public async Task<string> ReadAnswerAsync()
    {
        var received = new StringBuilder();
        var buffer = new byte[4096];
        try
        {
            int count;
            while (
                !received.ToString().EndsWith("\r\n0\r\n\r\n", StringComparison.Ordinal)
                && (count = await _connection.GetStream().ReadAsync(buffer, Token)) > 0
            )
            {
                received.Append(Encoding.UTF8.GetString(buffer, 0, count));
            }
        }
        catch (IOException)
        {
            // A reset: what came before it is the answer.
        }

        return received.ToString();
    }

    /// <summary>Says that nothing more comes, though the body's last chunk never came.</summary>
    public void EndEarly() => _connection.Client.Shutdown(SocketShutdown.Send);

    /// <summary>Ends as a crashed machine's connection does: by a reset.</summary>
    public void Reset()
    {
        _connection.Client.LingerState = new LingerOption(enable: true, seconds: 0);
        _connection.Close();
    }

    public void Dispose() => _connection.Dispose();

    private ValueTask WriteAsync(ReadOnlyMemory<byte> bytes) => _connection.GetStream().WriteAsync(bytes, Token);
}
