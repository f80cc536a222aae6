using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Configuration;

namespace ZfsSnapshotManager.UnitTests.Api;

public sealed class SlowAnswerTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_list_may_take_longer_than_an_answer_may_pause()
    {
        // Together more than the answer may pause, and each so much less that a busy machine does not matter.
        var patience = TimeSpan.FromSeconds(5);
        var answer = await ListAsync(patience, async (stream, _) =>
        {
            for (var piece = 0; piece < 24; piece++)
            {
                await WriteChunkAsync(stream, piece == 0 ? """{"success":true,"message":"m","snapshots":[""" : "  ");
                await Task.Delay(patience / 20, Token);
            }

            await WriteChunkAsync(stream, "]}");
            await WriteChunkAsync(stream, "");
        });

        Assert.Empty(answer);
    }

    [Fact]
    public async Task A_list_that_stops_in_its_middle_is_given_up()
    {
        var failure = await Assert.ThrowsAsync<OperationException>(() =>
            ListAsync(TimeSpan.FromSeconds(2), async (stream, isOver) =>
            {
                await WriteChunkAsync(stream, """{"success":true,"message":"m","snapshots":[""");
                await isOver;
            })
        );

        Assert.Equal((ExitCode.Unreachable, FailureKind.Transient), (failure.ExitCode, failure.Kind));
        Assert.Contains("sent nothing of its answer for 2 s", failure.Message, StringComparison.Ordinal);
    }

    /// <param name="patience">How long the answer may pause.</param>
    /// <param name="writeBody">Writes it; what it is given ends when the client has its answer or gave up.</param>
    private static async Task<IReadOnlyList<SnapshotInfo>> ListAsync(
        TimeSpan patience,
        Func<NetworkStream, Task, Task> writeBody
    )
    {
        var over = new TaskCompletionSource();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = ServeAsync(listener, stream => writeBody(stream, over.Task));
        var connection = new ServerConnection(
            "client",
            new Secret("key"),
            new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}")
        );
        using var server = new ApiClient(connection, patience);
        try
        {
            return await server.GetSnapshotsAsync(Token);
        }
        finally
        {
            over.SetResult();
            listener.Stop();
            _ = await Task.WhenAny(serving);
        }
    }

    private static async Task ServeAsync(TcpListener listener, Func<NetworkStream, Task> writeBody)
    {
        using var client = await listener.AcceptTcpClientAsync(Token);
        await using var stream = client.GetStream();
        _ = await stream.ReadAsync(new byte[4096], Token);
        await stream.WriteAsync(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray(),
            Token
        );
        await writeBody(stream);
    }

    private static async Task WriteChunkAsync(NetworkStream stream, string text) =>
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{text.Length:x}\r\n{text}\r\n")),
            Token
        );
}
