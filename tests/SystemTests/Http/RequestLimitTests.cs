using System.Net;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.UnitTests.SendStream;

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

    [Fact]
    public async Task Downloads_and_lists_above_the_share_of_one_client_are_refused_and_those_of_others_are_not()
    {
        using var zfs = await HeldZfs.CreateAsync();
        await using var server = await ServerProcess.StartAsync(zfs.Settings);
        using var greedy = await Uploader.CreateAsync(server, "greedy", "--storage-type", "local");
        using var modest = await Uploader.CreateAsync(server, "modest");
        var (ofGreedy, ofModest) = (await StoreAsync(greedy), await StoreAsync(modest));
        zfs.Hold();
        Task<Answer>[] running =
        [
            .. Enumerable.Range(0, Limits.DownloadsPerClient).Select(_ => greedy.GetAsync(ofGreedy)),
            .. Enumerable.Range(0, Limits.ListsPerClient).Select(_ => greedy.GetAsync("status")),
        ];
        await Patience.UntilAsync("zfs runs for each of them", () => zfs.Held == running.Length);

        var (download, list) = (greedy.GetAsync(ofGreedy), greedy.GetAsync("status"));
        (await modest.GetAsync(ofModest)).MustSucceed();
        (await modest.GetAsync("status")).MustSucceed();

        var busy = HttpStatusCode.ServiceUnavailable;
        var both = Task.WhenAll(download, list);
        var refused = await both.WaitAsync(Patience.Of(90), TestContext.Current.CancellationToken);
        refused[0].AssertRefused(busy, "server_busy", $"downloads run, or {Limits.DownloadsPerClient} of this");
        refused[1].AssertRefused(busy, "server_busy", $"lists are being read, or {Limits.ListsPerClient} of this");
        zfs.Release();
        Assert.All(await Task.WhenAll(running), answer => answer.MustSucceed());
    }

    /// <returns>The request that downloads the backup.</returns>
    private static async Task<string> StoreAsync(Uploader client)
    {
        var stored = await client.StoreAsync(new StreamBuilder().Begin(7).Object(1, bonus: []).End().ToArray());
        var id = stored.Json.GetProperty("snapshot").GetProperty("snapshot_id").GetString()!;
        return $"download?snapshot_id={Uri.EscapeDataString(id)}";
    }
}
