using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Http;

/// <summary>
/// The examples of the first program's documents, as users have them in their scripts: its clients file, its settings,
/// its requests with real curl, its names and keys to the letter. Only host and port differ.
/// </summary>
public sealed class FirstReadmeTests : IAsyncLifetime
{
    private const string Who = "client_id=client1&api_key=secret123";

    private const string WhoInBody = "\"client_id\":\"client1\",\"api_key\":\"secret123\"";

    private const string Policy = """{"keep_hourly":24,"keep_daily":7,"keep_weekly":4,"keep_monthly":12}""";

    private ServerProcess _server = null!;
    private Uploader _client = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["ZFS_BASE_DATASET"] = "backup",
                ["CONFIG_FILE"] = "clients.json",
                ["METADATA_FILE"] = "metadata.json",
            }
        );
        _client = await Uploader.CreateAsync(_server);
        await WriteClientsAsync(managed: true);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Health_is_answered_without_a_key() =>
        Assert.Equal("ok", (await CurlAsync("curl $URL/health")).Json.GetProperty("status").GetString());

    [Fact]
    public async Task The_status_reports_use_quota_and_count()
    {
        var status = (await CurlAsync($"curl \"$URL/status?{Who}\"")).Json;

        Assert.Equal(
            (true, "client1", "s3"),
            (
                status.GetProperty("success").GetBoolean(),
                status.GetProperty("client_id").GetString(),
                status.GetProperty("storage_type").GetString()
            )
        );
        Assert.Equal(
            (107374182400, 0, 0),
            (
                status.GetProperty("max_size_bytes").GetInt64(),
                status.GetProperty("used_bytes").GetInt64(),
                status.GetProperty("snapshot_count").GetInt32()
            )
        );
    }

    [Fact]
    public async Task The_server_s_rotation_policy_is_returned_to_the_letter() =>
        Assert.Equal(
            $$"""{"success":true,"message":"Server-managed rotation policy","rotation_policy":{{Policy}},"""
                + "\"server_managed\":true}",
            (await CurlAsync($"curl \"$URL/rotation-policy?{Who}\"")).Text
        );

    [Fact]
    public async Task Without_one_the_defaults_are_returned_and_the_client_decides()
    {
        await WriteClientsAsync(managed: false);

        var answer = (await CurlAsync($"curl \"$URL/rotation-policy?{Who}\"")).Json;

        Assert.Equal(
            ["success", "message", "rotation_policy", "server_managed"],
            answer.EnumerateObject().Select(field => field.Name)
        );
        Assert.Equal(
            (true, false, Policy),
            (
                answer.GetProperty("success").GetBoolean(),
                answer.GetProperty("server_managed").GetBoolean(),
                answer.GetProperty("rotation_policy").GetRawText()
            )
        );
    }

    [Theory]
    [InlineData(
        "-d '{" + WhoInBody + ",\"dataset_name\":\"tank/data\",\"timestamp\":\"2024-02-13T14:30:00Z\"}' $URL/upload"
    )]
    [InlineData(
        "-H 'Content-Type: application/json' -d '{"
            + WhoInBody
            + ",\"dataset_name\":\"tank/data\",\"snapshot_name\":\"one\",\"timestamp\":\"2024-02-13T14:30:00Z\""
            + ",\"compression\":\"gzip\",\"storage_type\":\"s3\",\"incremental\":false}' $URL/upload"
    )]
    [InlineData(
        "-X POST -d '{\"dataset_name\":\"tank/data\",\"timestamp\":\"2024-02-13T14:30:00Z\"}' \"$URL/upload?"
            + Who
            + "\""
    )]
    public async Task A_stream_is_stored_listed_under_its_name_and_returned(string ask)
    {
        await File.WriteAllBytesAsync(Path.Combine(_client.Folder, "stream"), Recorded.Plain("full"), Token);

        var upload = (await CurlAsync($"curl {ask}")).Json;
        Assert.Equal(
            (true, "POST"),
            (upload.GetProperty("success").GetBoolean(), upload.GetProperty("upload_method").GetString())
        );
        Assert.Equal("client1/tank_data_2024-02-13_14:30:00.zfs.gz", upload.GetProperty("storage_key").GetString());
        Assert.Equal(
            $"/upload-stream/{upload.GetProperty("upload_id").GetString()}",
            upload.GetProperty("upload_url").GetString()
        );
        Assert.True(
            (
                await CurlAsync(
                    "gzip < stream | curl -X POST --data-binary @- "
                        + $"\"$URL{upload.GetProperty("upload_url").GetString()}?{Who}\""
                )
            )
                .Json.GetProperty("success")
                .GetBoolean()
        );

        var listed = Assert.Single(
            (await CurlAsync($"curl \"$URL/snapshots?{Who}\"")).Json.GetProperty("snapshots").EnumerateArray()
        );
        Assert.Equal("client1/tank_data_2024-02-13_14:30:00", listed.GetProperty("snapshot_id").GetString());
        foreach (
            var id in (string[])
                ["client1/tank_data_2024-02-13_14:30:00", "client1/tank_data_2024-02-13_14:30:00.zfs.gz"]
        )
        {
            await CurlAsync($"curl -o backup.zfs.gz \"$URL/download?{Who}&snapshot_id={id}\"");
            (
                await Command.RunAsync("bash", ["-c", "gunzip < backup.zfs.gz | cmp - stream"], _client.Folder)
            ).MustSucceed();
        }

        Assert.Equal(1, (await CurlAsync($"curl \"$URL/status?{Who}\"")).Json.GetProperty("snapshot_count").GetInt32());
        Assert.True(
            File.Exists(Path.Combine(_server.DataFolder, "objects", "client1", "tank_data_2024-02-13_14:30:00.zfs.gz"))
        );
    }

    [Theory]
    [InlineData("-X POST \"$URL/rotate?" + Who + "\"", true)]
    [InlineData("-d '{" + WhoInBody + "}' $URL/rotate", true)]
    [InlineData(
        "-H 'Content-Type: application/json' -d '{" + WhoInBody + ",\"rotation_policy\":" + Policy + "}' $URL/rotate",
        false
    )]
    [InlineData("-X POST \"$URL/rotate?" + Who + "\"", false)]
    public async Task A_rotation_reports_what_it_deleted(string ask, bool managed)
    {
        await WriteClientsAsync(managed);

        var rotated = (await CurlAsync($"curl {ask}")).Json;

        Assert.Equal(
            (true, 0, 0),
            (
                rotated.GetProperty("success").GetBoolean(),
                rotated.GetProperty("deleted_count").GetInt32(),
                rotated.GetProperty("reclaimed_bytes").GetInt32()
            )
        );
        Assert.Equal(managed, rotated.GetProperty("server_managed").GetBoolean());
    }

    [Theory]
    [InlineData("curl \"$URL/rotation-policy?client_id=client1&api_key=wrong\"")]
    [InlineData("curl -X POST \"$URL/rotate?client_id=client1&api_key=wrong\"")]
    [InlineData(
        "curl -d '{\"client_id\":\"client1\",\"api_key\":\"wrong\",\"dataset_name\":\"tank/data\"}' $URL/upload"
    )]
    public async Task A_wrong_key_is_refused_with_the_fields_of_every_answer(string command)
    {
        var refused = await Curl.RunAsync(_server, _client, command);

        Assert.Equal(HttpStatusCode.Unauthorized, refused.Status);
        Assert.False(refused.Json.GetProperty("success").GetBoolean());
        Assert.NotEmpty(refused.Json.GetProperty("message").GetString()!);
    }

    private async Task<CurlAnswer> CurlAsync(string command) =>
        (await Curl.RunAsync(_server, _client, command)).MustSucceed();

    /// <summary>The file as documented, with a real hash.</summary>
    private async Task WriteClientsAsync(bool managed)
    {
        var entry = new JsonObject
        {
            ["client_id"] = "client1",
            ["api_key"] = Convert.ToHexStringLower(SHA256.HashData("secret123"u8)),
            ["max_size_bytes"] = 107374182400,
            ["dataset"] = "backup/client1",
            ["enabled"] = true,
            ["storage_type"] = "s3",
        };
        if (managed)
            entry["rotation_policy"] = JsonNode.Parse(Policy);
        var path = Path.Combine(_server.Folder, "clients.json");
        await File.WriteAllTextAsync(path + ".new", new JsonArray(entry).ToJsonString(), Token);
        File.Move(path + ".new", path, overwrite: true);
    }
}
