using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Http;

/// <summary>A client that is shut out cannot finish what it has under way.</summary>
public sealed class ShutOutTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Commands =>
        [
            "client disable client1",
            "client rotate-key client1 --overlap 0",
            "client remove client1 --yes --keep-backups",
        ];

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task An_upload_under_way_ends_and_nothing_of_it_is_stored(string command)
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var stream = Recorded.Plain("full");
        using var sending = await BeginAsync(server, client, stream);

        (await server.RunAsync(command.Split(' '))).MustSucceed();
        var answer = await sending.ReadAnswerAsync();

        Assert.Contains("401 Unauthorized", answer, StringComparison.Ordinal);
        Assert.Contains("while the request ran", answer, StringComparison.Ordinal);
        Assert.Empty(server.StoredFiles());
    }

    [Fact]
    public async Task An_upload_with_an_old_key_goes_on_while_that_key_is_accepted()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var stream = Recorded.Plain("full");
        using var sending = await BeginAsync(server, client, stream);

        (await server.RunAsync("client", "rotate-key", "client1")).MustSucceed();
        await server.MustLogAsync("clients.json again"); // while it runs, without another request
        await sending.SendChunkAsync(stream.AsMemory(stream.Length / 2));
        await sending.SendChunkAsync(ReadOnlyMemory<byte>.Empty);

        Assert.Contains("\"committed\"", await sending.ReadAnswerAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_download_under_way_ends_early_and_does_not_look_complete()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var upload = await client.AnnounceAsync(
            new JsonObject { ["dataset_name"] = "tank/data", ["compression"] = "none" }
        );
        using var stream = new GeneratedStream(blocks: 512, guid: 7, compress: false); // more than sockets buffer
        var stored = (await client.SendAsync(upload, stream)).MustSucceed();
        var id = stored.Json.GetProperty("snapshot").GetProperty("snapshot_id").GetString()!;
        using var download = await client.Http.GetAsync(
            $"download?snapshot_id={Uri.EscapeDataString(id)}",
            HttpCompletionOption.ResponseHeadersRead,
            Token
        );
        await using var body = await download.Content.ReadAsStreamAsync(Token);
        await body.ReadExactlyAsync(new byte[4096], Token);

        (await server.RunAsync("client", "disable", "client1")).MustSucceed();
        await server.MustLogAsync("Ended GET /download of client1");

        await Assert.ThrowsAnyAsync<IOException>(() => body.CopyToAsync(Stream.Null, Token));
    }

    /// <summary>Sends the first half of the stream.</summary>
    private static async Task<RawConnection> BeginAsync(ServerProcess server, Uploader client, byte[] stream)
    {
        var upload = await client.AnnounceAsync(
            new JsonObject { ["dataset_name"] = "tank/data", ["compression"] = "none" }
        );
        var connection = await RawConnection.BeginUploadAsync(server, client, upload);
        await connection.SendChunkAsync(stream.AsMemory(0, stream.Length / 2));
        return connection;
    }
}
