using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Http;

/// <summary>One key cannot take all of the server's requests.</summary>
public sealed class RequestLimitTests
{
    private const int MostRequests = 64;

    [Fact]
    public async Task Requests_above_the_share_of_one_client_wait_and_those_of_others_do_not()
    {
        await using var server = await ServerProcess.StartAsync();
        using var greedy = await Uploader.CreateAsync(server, "greedy");
        using var modest = await Uploader.CreateAsync(server, "modest");
        List<RawConnection> running = [];
        try
        {
            for (var request = 0; request < MostRequests; request++)
            {
                var id = await greedy.AnnounceAsync(
                    new JsonObject { ["dataset_name"] = $"tank/data{request}", ["compression"] = "none" }
                );
                var connection = await RawConnection.OpenAsync(server);
                running.Add(connection);
                await connection.SendAsync(
                    $"POST /upload-stream/{id} HTTP/1.1\r\nHost: server\r\nX-API-Key: {greedy.Key}\r\n"
                        + "Content-Length: 1000000\r\n\r\n"
                );
                if (request < MostRequests - 1) // the last one leaves no room for this question
                    await greedy.WaitForReceivingAsync(id);
            }

            var waiting = await FindNoRoomAsync(greedy);
            for (var request = 0; request < 5; request++)
                (await modest.GetAsync("status")).MustSucceed();
            Assert.False(waiting.IsCompleted);
            running[0].Dispose();

            (await waiting).MustSucceed();
        }
        finally
        {
            running.ForEach(connection => connection.Dispose());
        }
    }

    /// <summary>Asks until a request is not answered.</summary>
    private static async Task<Task<Answer>> FindNoRoomAsync(Uploader client)
    {
        var waiting = client.GetAsync("status");
        await Patience.UntilAsync("there is no room", async () =>
        {
            if (waiting.IsCompleted)
                waiting = client.GetAsync("status");
            var pause = Task.Delay(TimeSpan.FromSeconds(0.5), TestContext.Current.CancellationToken);
            return await Task.WhenAny(waiting, pause) == pause;
        });
        return waiting;
    }
}
