using System.Text.Json.Nodes;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Http;

/// <summary>One key cannot take all of the server's requests.</summary>
public sealed class RequestLimitTests
{
    [Fact]
    public async Task Requests_above_the_share_of_one_client_wait_and_those_of_others_do_not()
    {
        await using var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["MAX_UPLOADS"] = $"{2 * Limits.RequestsPerClient}", // half of them are one client's
            }
        );
        using var greedy = await Uploader.CreateAsync(server, "greedy");
        using var modest = await Uploader.CreateAsync(server, "modest");
        List<RawConnection> running = [];
        try
        {
            for (var request = 0; request < Limits.RequestsPerClient; request++)
            {
                var upload = await greedy.AnnounceAsync(
                    new JsonObject { ["dataset_name"] = $"tank/data{request}", ["compression"] = "none" }
                );
                running.Add(await RawConnection.BeginUploadAsync(server, greedy, upload));
            }

            var waiting = greedy.GetAsync("status");
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
}
