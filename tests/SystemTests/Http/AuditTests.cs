using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Http;

/// <summary>Nobody reads or removes anything unseen, and nobody with a key washes the audit log away.</summary>
public sealed class AuditTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_download_is_one_event_whatever_its_ranges_are()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var id = IdOf(await client.StoreAsync(Recorded.Plain("full")));

        await ReadAsync(client, id, 1, null); // all but a byte that everybody knows
        for (var request = 0; request < 20; request++)
            await ReadAsync(client, id, 0, 0);
        (await client.GetAsync($"snapshots/{Uri.EscapeDataString(id)}/manifest")).MustSucceed();
        (await client.GetAsync($"snapshots/{Uri.EscapeDataString(id)}/manifest")).MustSucceed();

        Assert.Equal(
            ["backup.committed", "backup.downloaded", "backup.manifest_read"],
            (await AuditAsync(server, "--event", "backup")).Select(e => (string)e!["event"]!)
        );
    }

    [Fact]
    public async Task Requests_that_change_nothing_are_no_events_and_failures_are_counted()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        using var wrong = server.As(client.Id, "zsm_wrong");
        for (var request = 0; request < 5; request++)
        {
            using var body = new StringContent("{}");
            (await Answer.ReadAsync(await client.Http.PostAsync("rotate", body, Token))).MustSucceed();
            (await wrong.GetAsync("status", Token)).Dispose();
        }

        await server.StopAsync(); // it writes what it counted

        var events = await AuditAsync(server);
        Assert.Equal(["client.added", "auth.failed", "auth.failed"], events.Select(e => (string)e!["event"]!));
        Assert.Equal("4", (string)events[2]!["details"]!["more"]!);
        Assert.DoesNotContain(
            "auth.failed",
            await File.ReadAllTextAsync(Path.Combine(server.DataFolder, "audit.log"), Token),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task What_ends_an_upload_that_has_parts_is_an_event()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var cut = CutParts.Cut(Recorded.Plain("full"), int.MaxValue, new Random(1));
        var fields = new JsonObject { ["dataset_name"] = "tank/data", ["compression"] = "gzip" };
        var replaced = await client.AnnounceAsync((JsonObject)fields.DeepClone());
        (await client.SendPartAsync(replaced, cut.Parts[0])).MustSucceed();
        (await client.SendAsync(replaced, Recorded.Gzip("full"))).MustSucceed();
        var dropped = await client.AnnounceAsync((JsonObject)fields.DeepClone());
        (
            await client.SendPartAsync(
                dropped,
                CutParts.Cut(Recorded.Plain("empty"), int.MaxValue, new Random(1)).Parts[0]
            )
        ).MustSucceed();
        (await client.DeleteAsync($"upload-stream/{dropped}")).MustSucceed();
        var unused = await client.AnnounceAsync((JsonObject)fields.DeepClone());
        (await client.DeleteAsync($"upload-stream/{unused}")).MustSucceed();

        var events = await AuditAsync(server, "--event", "upload");

        Assert.Equal(["upload.replaced", "upload.dropped"], events.Select(e => (string)e!["event"]!));
        Assert.Equal([replaced, dropped], events.Select(e => (string)e!["details"]!["upload_id"]!));
        Assert.All(events, e => Assert.Equal("127.0.0.1", (string)e!["address"]!));
    }

    [Fact]
    public async Task A_rebuild_and_a_pin_are_events_also_without_a_server()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var id = IdOf(await client.StoreAsync(Recorded.Plain("full")));
        await server.StopAsync();

        (await server.RunAsync("catalogue", "rebuild")).MustSucceed();
        (await server.RunAsync("backup", "pin", id)).MustSucceed();

        var written = await File.ReadAllLinesAsync(Path.Combine(server.DataFolder, "audit.log"), Token);
        Assert.Equal(
            ["client.added", "backup.committed", "catalogue.rebuilt", "backup.pinned"],
            written.Select(line => (string)JsonNode.Parse(line)!["event"]!)
        );
    }

    private static string IdOf(Answer stored) =>
        stored.Json.GetProperty("snapshot").GetProperty("snapshot_id").GetString()!;

    private static async Task ReadAsync(Uploader client, string id, long from, long? to)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"download?snapshot_id={Uri.EscapeDataString(id)}");
        request.Headers.Range = new RangeHeaderValue(from, to);
        using var response = await client.Http.SendAsync(request, Token);
        response.EnsureSuccessStatusCode();
    }

    private static async Task<JsonArray> AuditAsync(ServerProcess server, params string[] options) =>
        JsonNode.Parse((await server.RunAsync(["audit", "--json", .. options])).MustSucceed().Output)![
            "results"
        ]!.AsArray();
}
