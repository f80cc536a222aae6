using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Configuration;
using ZfsSnapshotManager.UnitTests.Chains;

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

    [Fact]
    public async Task An_error_that_does_not_end_is_known_by_its_status()
    {
        var failure = await Assert.ThrowsAsync<ApiException>(() =>
            AskAsync(
                server => server.OpenManifestAsync(Backups.Full(1), Token),
                TimeSpan.FromSeconds(2),
                async (stream, isOver) =>
                {
                    await WriteChunkAsync(stream, """{"success":false,"message":""");
                    await isOver;
                },
                "503 Service Unavailable"
            )
        );

        Assert.Equal((HttpStatusCode.ServiceUnavailable, FailureKind.Transient), (failure.Status, failure.Kind));
    }

    [Fact]
    public async Task An_error_is_not_read_beyond_its_limit()
    {
        var sent = 0;

        _ = await Assert.ThrowsAsync<ApiException>(() =>
            AskAsync(
                server => server.OpenManifestAsync(Backups.Full(1), Token),
                TimeSpan.FromSeconds(20),
                async (stream, _) =>
                {
                    await WriteChunkAsync(stream, """{"success":false,"message":"m","code":"c","x":[""");
                    for (; sent < 256; sent++)
                        await WriteChunkAsync(stream, new string(' ', 1024 * 1024));
                },
                "500 Internal Server Error"
            )
        );

        Assert.InRange(sent, 0, 128);
    }

    private static Task<IReadOnlyList<SnapshotInfo>> ListAsync(
        TimeSpan patience,
        Func<NetworkStream, Task, Task> writeBody
    ) => AskAsync(server => server.GetSnapshotsAsync(Token), patience, writeBody, "200 OK");

    /// <param name="ask">The request.</param>
    /// <param name="patience">How long the answer may pause.</param>
    /// <param name="writeBody">Writes it; what it is given ends when the client has its answer or gave up.</param>
    /// <param name="status">The answer's code and phrase.</param>
    private static async Task<T> AskAsync<T>(
        Func<ApiClient, Task<T>> ask,
        TimeSpan patience,
        Func<NetworkStream, Task, Task> writeBody,
        string status
    )
    {
        var over = new TaskCompletionSource();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = ServeAsync(listener, stream => writeBody(stream, over.Task), status);
        var connection = new ServerConnection(
            "client",
            new Secret("key"),
            new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}")
        );
        using var server = new ApiClient(connection, patience);
        try
        {
            return await ask(server);
        }
        finally
        {
            over.SetResult();
            listener.Stop();
            _ = await Task.WhenAny(serving);
        }
    }

    private static async Task ServeAsync(TcpListener listener, Func<NetworkStream, Task> writeBody, string status)
    {
        using var client = await listener.AcceptTcpClientAsync(Token);
        await using var stream = client.GetStream();
        _ = await stream.ReadAsync(new byte[4096], Token);
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(
                $"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            ),
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
