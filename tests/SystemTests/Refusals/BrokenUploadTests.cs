using System.Net;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Refusals;

/// <summary>
/// An upload whose connection breaks, stalls or is taken over leaves nothing behind and can be repeated.
/// </summary>
public sealed class BrokenUploadTests(SharedServer server) : IClassFixture<SharedServer>
{
    private static readonly byte[] Stream = Recorded.Plain("large-blocks");

    [Fact]
    public async Task A_connection_that_is_reset_in_the_middle_leaves_nothing()
    {
        using var client = await server.NewClientAsync();
        var (upload, before) = await AnnounceAsync(client);
        using var broken = await BeginAsync(server.Process, client, upload);

        broken.Reset();

        await AssertEndsAsync(client, upload, "upload_broken_off", before);
    }

    [Fact]
    public async Task A_body_that_ends_without_its_last_chunk_leaves_nothing()
    {
        using var client = await server.NewClientAsync();
        var (upload, before) = await AnnounceAsync(client);
        using var broken = await BeginAsync(server.Process, client, upload);
        // The stream is complete, but the request is not.
        await broken.SendChunkAsync(Stream.AsMemory(Stream.Length / 2));

        broken.EndEarly();

        await AssertEndsAsync(client, upload, "upload_broken_off", before);
    }

    [Fact]
    public async Task A_body_that_stalls_is_given_up()
    {
        await using var impatient = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["UPLOAD_IDLE_TIMEOUT"] = "2" }
        );
        using var client = await Uploader.CreateAsync(impatient);
        var (upload, before) = await AnnounceAsync(client);
        using var broken = await BeginAsync(impatient, client, upload);

        var answer = await broken.ReadAnswerAsync();

        Assert.StartsWith("HTTP/1.1 408 ", answer, StringComparison.Ordinal);
        Assert.Contains("\"upload_idle\"", answer, StringComparison.Ordinal);
        Assert.Contains("2 s", answer, StringComparison.Ordinal);
        await AssertEndsAsync(client, upload, "upload_idle", before);
    }

    [Fact]
    public async Task A_new_request_takes_over_from_one_whose_connection_is_dead()
    {
        using var client = await server.NewClientAsync();
        var (upload, _) = await AnnounceAsync(client);
        using var dead = await BeginAsync(server.Process, client, upload);

        var committed = await client.SendAsync(upload, Stream);

        Assert.Equal("committed", committed.MustSucceed().Json.GetProperty("state").GetString());
        Assert.Contains("\"upload_replaced\"", await dead.ReadAnswerAsync(), StringComparison.Ordinal);
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }

    [Fact]
    public async Task A_dropped_upload_is_deleted_with_all_it_stored()
    {
        using var client = await server.NewClientAsync();
        var nothing = await client.PictureAsync();
        var (upload, _) = await AnnounceAsync(client);
        using var broken = await BeginAsync(server.Process, client, upload);

        (await client.DeleteAsync($"upload-stream/{upload}")).MustSucceed();

        Assert.Equal(nothing, await client.PictureAsync());
        (await client.SendAsync(upload, Stream)).AssertRefused(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task Asking_again_for_the_same_snapshot_returns_the_open_upload()
    {
        using var client = await server.NewClientAsync();
        var fields = Recorded.Announce(Recorded.Get("full"), "gzip");
        var upload = await client.AnnounceAsync(fields);

        Assert.Equal(upload, await client.AnnounceAsync(fields));
        Assert.NotEqual(upload, await client.AnnounceAsync(Recorded.Announce(Recorded.Get("empty"), "gzip")));
        Assert.Equal(2, (await client.GetAsync("status")).Json.GetProperty("open_uploads").GetInt32());
    }

    [Fact]
    public async Task Of_two_that_send_the_same_snapshot_at_once_one_is_stored()
    {
        using var client = await server.NewClientAsync();
        string[] uploads = [await client.AnnounceAsync(Fields()), await client.AnnounceAsync(Fields())];

        var answers = await Task.WhenAll(uploads.Select(upload => client.SendAsync(upload, Stream)));

        Assert.Single(answers, answer => answer.Status == HttpStatusCode.OK);
        answers
            .Single(answer => answer.Status != HttpStatusCode.OK)
            .AssertRefused(HttpStatusCode.Conflict, "snapshot_exists");
        Assert.Equal(1, (await client.GetAsync("status")).Json.GetProperty("snapshot_count").GetInt32());
        // The object and its manifest.
        Assert.Equal(
            2,
            server
                .Process.StoredFiles()
                .Count(file => file.StartsWith($"objects/{client.Id}/", StringComparison.Ordinal))
        );
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }

    /// <summary>
    /// The path of the object or its manifest is occupied by something else; the server can only report it and clean
    /// up.
    /// </summary>
    [Theory]
    [InlineData("")]
    [InlineData(".manifest.json")]
    public async Task An_upload_whose_path_exists_on_disk_leaves_nothing_and_can_be_repeated(string extension)
    {
        using var client = await server.NewClientAsync();
        var upload = (await client.AskAsync(Fields())).MustSucceed();
        var (id, obstacle) = (upload.Json.GetProperty("upload_id").GetString()!, client.ObjectOf(upload) + extension);
        Directory.CreateDirectory(obstacle);
        var before = await client.PictureAsync();

        (await client.SendAsync(id, Stream)).AssertRefused(HttpStatusCode.InternalServerError, "internal_error");

        Assert.Equal(before, await client.PictureAsync());
        Assert.True(Directory.Exists(obstacle));
        Directory.Delete(obstacle);
        (await client.SendAsync(id, Stream)).MustSucceed();
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }

    private static JsonObject Fields() => new() { ["dataset_name"] = "tank/data", ["compression"] = "none" };

    private static async Task<(string Upload, string Before)> AnnounceAsync(Uploader client) =>
        (await client.AnnounceAsync(Fields()), await client.PictureAsync());

    /// <summary>Sends the first half of the stream.</summary>
    private static async Task<RawConnection> BeginAsync(ServerProcess server, Uploader client, string upload)
    {
        var connection = await RawConnection.BeginUploadAsync(server, client, upload);
        await connection.SendChunkAsync(Stream.AsMemory(0, Stream.Length / 2));
        return connection;
    }

    private static async Task AssertEndsAsync(Uploader client, string upload, string code, string before)
    {
        await Patience.UntilAsync($"the upload ends with {code}", async () =>
        {
            var state = (await client.GetAsync($"upload-stream/{upload}")).MustSucceed().Json;
            return state.GetProperty("state").GetString() == "open"
                && state.TryGetProperty("last_error", out var error)
                && error.GetProperty("code").GetString() == code;
        });
        Assert.Equal(before, await client.PictureAsync());
        (await client.SendAsync(upload, Stream)).MustSucceed();
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }
}
