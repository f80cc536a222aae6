using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Http;

/// <summary>
/// The HTTP API as other programs use it: curl in its plainest use, ranges, and requests that are wrong in every way.
/// </summary>
public sealed class WireTests(SharedServer server) : IClassFixture<SharedServer>
{
    private static readonly byte[] Gzip = Recorded.Gzip("full");

    public static TheoryData<string, string> WrongFields =>
        new()
        {
            { "{}", "dataset_name" },
            { "{\"dataset_name\":\"\"}", "dataset_name" },
            { "{\"dataset_name\":\"../../etc\"}", "dataset_name" },
            { "{\"dataset_name\":\"tank/../../etc\"}", "dataset_name" },
            { "{\"dataset_name\":\"/tank\"}", "dataset_name" },
            { "{\"dataset_name\":\"tank//data\"}", "dataset_name" },
            { "{\"dataset_name\":\"-rf\"}", "dataset_name" },
            { "{\"dataset_name\":\"tank/data@one\"}", "dataset_name" },
            { "{\"dataset_name\":\"tank/$(reboot)\"}", "dataset_name" },
            { "{\"dataset_name\":\"tank/da\\u0000ta\"}", "dataset_name" },
            { "{\"dataset_name\":\"tank/da\\nta\"}", "dataset_name" },
            { "{\"dataset_name\":\"tank/d\u00e4ta\"}", "dataset_name" },
            { $"{{\"dataset_name\":\"tank/{new string('d', 300)}\"}}", "dataset_name" },
            { "{\"dataset_name\":5}", "dataset_name" },
            { "{\"dataset_name\":\"tank/data\",\"snapshot_name\":\"tank/other@one\"}", "snapshot_name" },
            { "{\"dataset_name\":\"tank/data\",\"snapshot_name\":\"tank/data#one\"}", "snapshot_name" },
            { "{\"dataset_name\":\"tank/data\",\"snapshot_name\":\"a/b\"}", "snapshot_name" },
            { "{\"dataset_name\":\"tank/data\",\"snapshot_name\":\"one@two\"}", "snapshot_name" },
            { "{\"dataset_name\":\"tank/data\",\"snapshot_guid\":\"0\"}", "snapshot_guid" },
            { "{\"dataset_name\":\"tank/data\",\"snapshot_guid\":\"-5\"}", "snapshot_guid" },
            { "{\"dataset_name\":\"tank/data\",\"snapshot_guid\":\"0x12\"}", "snapshot_guid" },
            { "{\"dataset_name\":\"tank/data\",\"snapshot_guid\":\"18446744073709551616\"}", "snapshot_guid" },
            { "{\"dataset_name\":\"tank/data\",\"from_guid\":1.5}", "from_guid" },
            { "{\"dataset_name\":\"tank/data\",\"incremental\":true}", "from_guid" },
            { "{\"dataset_name\":\"tank/data\",\"incremental\":false,\"from_guid\":\"5\"}", "from_guid" },
            { "{\"dataset_name\":\"tank/data\",\"estimated_size\":-1}", "estimated_size" },
            { "{\"dataset_name\":\"tank/data\",\"estimated_size\":99999999999999999999}", "estimated_size" },
            { "{\"dataset_name\":\"tank/data\",\"timestamp\":\"yesterday\"}", "timestamp" },
            { "{\"dataset_name\":\"tank/data\",\"compression\":\"rar\"}", "compression" },
            { "{\"dataset_name\":\"tank/data\",\"compression\":\"GZIP\"}", "compression" },
            { "{\"dataset_name\":\"tank/data\",\"storage_type\":\"tape\"}", "storage_type" },
            { "{\"dataset_name\":\"tank/data\",\"raw\":\"yes\"}", "raw" },
            { "{\"dataset_name\":\"tank/data\",\"send_flags\":[\"-R\"]}", "send_flags" },
            { "{\"dataset_name\":\"tank/data\",\"send_flags\":[\"-L\",\";reboot\"]}", "send_flags" },
            { "{\"dataset_name\":\"tank/data\",\"send_flags\":[null]}", "send_flags" },
            { "{\"dataset_name\":\"tank/data\",\"send_flags\":[null,\"-R\"]}", "send_flags" },
            { "{\"dataset_name\":\"tank/data\",\"send_flags\":\"-L\"}", "send_flags" },
            { "{\"dataset_name\":", "JSON" },
            { "{\"dataset_name\":\"tank/data\"} and more", "JSON" },
            { "[]", "JSON" },
            { "null", "The body is" },
            { "", "JSON" },
        };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>A stream from a pipe has no known length.</summary>
    [Theory]
    [InlineData("--data-binary @-")]
    [InlineData("-T - -X POST")]
    [InlineData("-T - -X POST -H 'Expect:'")]
    [InlineData("--data-binary @- -H 'Content-Type: application/octet-stream' --http1.0")]
    public async Task A_stream_is_backed_up_with_gzip_and_curl_alone(string how)
    {
        using var client = await server.NewClientAsync();
        await File.WriteAllBytesAsync(Path.Combine(client.Folder, "stream"), Recorded.Plain("full"), Token);

        var upload = (
            await Curl.RunAsync(
                server.Process,
                client,
                "curl -H 'Content-Type: application/json' -d "
                    + "\"{\\\"client_id\\\":\\\"$ID\\\",\\\"api_key\\\":\\\"$KEY\\\","
                    + "\\\"dataset_name\\\":\\\"tank/data\\\"}\" $URL/upload"
            )
        )
            .MustSucceed()
            .Json;
        Assert.Equal("POST", upload.GetProperty("upload_method").GetString());
        var committed = (
            await Curl.RunAsync(
                server.Process,
                client,
                $"gzip < stream | curl {how} "
                    + $"\"$URL{upload.GetProperty("upload_url").GetString()}?client_id=$ID&api_key=$KEY\""
            )
        )
            .MustSucceed()
            .Json;

        var snapshot = committed.GetProperty("snapshot");
        Assert.Equal(
            (committed.GetProperty("storage_key").GetString(), "one"),
            (snapshot.GetProperty("storage_key").GetString(), snapshot.GetProperty("snapshot_name").GetString())
        );
        var id = snapshot.GetProperty("snapshot_id").GetString()!.Replace(":", "%3A", StringComparison.Ordinal);
        await Curl.RunAsync(
            server.Process,
            client,
            $"curl -o restored \"$URL/download?client_id=$ID&api_key=$KEY&snapshot_id={id}\""
        );
        (await Command.RunAsync("bash", ["-c", "gunzip < restored | cmp - stream"], client.Folder)).MustSucceed();
    }

    /// <summary>As a user types it who relies on curl's defaults.</summary>
    [Theory]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("text/plain")]
    public async Task A_body_not_declared_as_JSON_is_accepted_or_refused_with_the_reason(string contentType)
    {
        using var client = await server.NewClientAsync();

        var answer = await client.AskAsync("{\"dataset_name\":\"tank/data\"}", contentType);

        if (answer.Status != HttpStatusCode.OK)
            answer.AssertRefused(HttpStatusCode.UnsupportedMediaType, "bad_request", "application/json");
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("-H 'Expect:'", "")]
    [InlineData("", "x")]
    [InlineData("-H 'Expect:'", "x")]
    public async Task A_refusal_arrives_while_most_of_the_stream_is_still_unsent(string how, string wrongKey)
    {
        using var client = await server.NewClientAsync();
        var upload = await client.AnnounceAsync(
            new JsonObject { ["dataset_name"] = "tank/data", ["compression"] = "none" }
        );
        var (status, code) =
            wrongKey.Length == 0
                ? (HttpStatusCode.UnprocessableEntity, "stream_damaged")
                : (HttpStatusCode.Unauthorized, "unauthorized");

        // Several times: if the server closes too soon, it depends on chance whether the answer still arrives.
        for (var time = 0; time < 8; time++)
        {
            var answer = await Curl.RunAsync(
                server.Process,
                client,
                $"head -c 100M /dev/zero | curl {how} -T - -X POST "
                    + $"\"$URL/upload-stream/{upload}?client_id=$ID&api_key=$KEY{wrongKey}\" || true"
            );

            Assert.True(answer.Status == status, $"{(int)answer.Status} {answer.Text} {answer.Error}");
            Assert.Equal(code, answer.Json.GetProperty("code").GetString());
        }
    }

    [Fact]
    public async Task Ranges_and_conditions_behave_as_HTTP_defines()
    {
        using var client = await server.NewClientAsync();
        var stored = await client.StoreAsync(Gzip, compression: "gzip");
        var snapshot = stored.Json.GetProperty("snapshot");
        var url = $"download?snapshot_id={Uri.EscapeDataString(snapshot.GetProperty("snapshot_id").GetString()!)}";
        var tag = $"\"{snapshot.GetProperty("parts_sha256").GetString()}\"";

        var (whole, wholeBytes) = await DownloadAsync(client, url);
        Assert.Equal(
            (HttpStatusCode.OK, tag, "bytes", Gzip.Length),
            (
                whole.StatusCode,
                whole.Headers.ETag?.Tag,
                Assert.Single(whole.Headers.AcceptRanges),
                (int)whole.Content.Headers.ContentLength!.Value
            )
        );
        Assert.Equal(Gzip, wholeBytes);
        await AssertRangeAsync("bytes=0-0", 0, 1);
        await AssertRangeAsync("bytes=100-199", 100, 100);
        await AssertRangeAsync("bytes=1000-", 1000, Gzip.Length - 1000);
        await AssertRangeAsync("bytes=-300", Gzip.Length - 300, 300);
        await AssertRangeAsync($"bytes=50-{Gzip.Length + 1000}", 50, Gzip.Length - 50);
        Assert.Equal(
            HttpStatusCode.NotModified,
            (await DownloadAsync(client, url, ("If-None-Match", tag))).Response.StatusCode
        );
        Assert.Equal(
            HttpStatusCode.OK,
            (await DownloadAsync(client, url, ("If-None-Match", "\"another\""))).Response.StatusCode
        );
        Assert.Equal(
            HttpStatusCode.PartialContent,
            (await DownloadAsync(client, url, ("Range", "bytes=5-9"), ("If-Range", tag))).Response.StatusCode
        );
        Assert.Equal(
            Gzip,
            (await DownloadAsync(client, url, ("Range", "bytes=5-9"), ("If-Range", "\"another\""))).Bytes
        );

        async Task AssertRangeAsync(string range, int from, int count)
        {
            var (part, bytes) = await DownloadAsync(client, url, ("Range", range));
            Assert.Equal(HttpStatusCode.PartialContent, part.StatusCode);
            Assert.Equal(
                new ContentRangeHeaderValue(from, from + count - 1, Gzip.Length),
                part.Content.Headers.ContentRange
            );
            Assert.Equal(Gzip[from..(from + count)], bytes);
        }
    }

    [Fact]
    public async Task A_range_beyond_the_end_is_refused_with_the_length()
    {
        using var client = await server.NewClientAsync();
        var stored = await client.StoreAsync(Gzip, compression: "gzip");
        using var request = new HttpRequestMessage(
            HttpMethod.Get,
            $"download?snapshot_id={Uri.EscapeDataString(stored.Json.GetProperty("storage_key").GetString()!)}"
        );
        request.Headers.Add("Range", $"bytes={Gzip.Length}-");

        var answer = await Answer.ReadAsync(await client.Http.SendAsync(request, Token));

        answer.AssertRefused(HttpStatusCode.RequestedRangeNotSatisfiable, "bad_request");
        Assert.Equal($"bytes */{Gzip.Length}", answer.ContentHeaders.ContentRange?.ToString());
    }

    [Theory]
    [MemberData(nameof(WrongFields))]
    public async Task A_wrong_field_is_refused_by_name(string body, string named)
    {
        using var client = await server.NewClientAsync();
        var before = await client.PictureAsync();

        (await client.AskAsync(body)).AssertRefused(HttpStatusCode.BadRequest, "bad_request", named);

        Assert.Equal(before, await client.PictureAsync());
    }

    [Fact]
    public async Task A_body_too_large_for_its_endpoint_is_refused()
    {
        using var client = await server.NewClientAsync();

        (
            await client.AskAsync($"{{\"dataset_name\":\"tank/data\",\"more\":\"{new string('x', 100_000)}\"}}")
        ).AssertRefused(HttpStatusCode.RequestEntityTooLarge, "too_large");
        (await client.AskAsync(string.Concat(Enumerable.Repeat("[", 10_000)))).AssertRefused(
            HttpStatusCode.BadRequest,
            "bad_request"
        );
    }

    [Theory]
    [InlineData("GET", "", 404)]
    [InlineData("GET", "nothing", 404)]
    [InlineData("GET", "upload-stream", 404)]
    [InlineData("GET", "../../etc/passwd", 404)]
    [InlineData("GET", "upload", 405)]
    [InlineData("DELETE", "status", 405)]
    [InlineData("PUT", "snapshots", 405)]
    [InlineData("POST", "health", 405)]
    [InlineData("PATCH", "upload-stream/x", 405)]
    [InlineData("GET", "download", 400)]
    [InlineData("GET", "download?snapshot_id=", 400)]
    [InlineData("GET", "download?snapshot_id=../../clients.json", 404)]
    [InlineData("GET", "download?snapshot_id=..%2F..%2Fclients.json", 404)]
    [InlineData("GET", "download?snapshot_id=%2Fetc%2Fpasswd", 404)]
    [InlineData("GET", "download?snapshot_id=%00", 404)]
    [InlineData("GET", "download?snapshot_id=x'%20OR%20'1'='1", 404)]
    [InlineData("GET", "download?snapshot_id=%25", 404)]
    [InlineData("GET", "download?snapshot_id=a&snapshot_id=b", 404)]
    [InlineData("GET", "upload-stream/..%2F..%2Fclients.json", 404)]
    [InlineData("GET", "upload-stream/x'%20OR%20'1'='1", 404)]
    [InlineData("DELETE", "upload-stream/%25", 404)]
    [InlineData("POST", "upload-stream/%C3%A4%F0%9F%98%80", 404)]
    [InlineData("GET", "upload-stream/a b", 404)]
    public async Task Unknown_paths_and_methods_are_refused_in_JSON(string method, string path, int status)
    {
        using var client = await server.NewClientAsync();
        await client.StoreAsync(Gzip, compression: "gzip");
        var before = await client.PictureAsync();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);

        var answer = await Answer.ReadAsync(await client.Http.SendAsync(request, Token));

        answer.AssertRefused((HttpStatusCode)status, status == 404 ? "not_found" : "bad_request");
        if (status == 405)
            Assert.NotEmpty(answer.ContentHeaders.Allow);
        Assert.Equal(before, await client.PictureAsync());
    }

    [Fact]
    public async Task A_very_long_upload_id_is_not_found()
    {
        using var client = await server.NewClientAsync();

        (await client.GetAsync($"upload-stream/{new string('a', 5000)}")).AssertRefused(
            HttpStatusCode.NotFound,
            "not_found"
        );
    }

    [Fact]
    public async Task Colliding_keys_get_numbers()
    {
        using var client = await server.NewClientAsync();
        const string Time = "2024-02-13T15:30:00+01:00";
        string[] keys =
        [
            await KeyAsync("tank/a/b"),
            await KeyAsync("tank/a_b"),
            await KeyAsync("tank_a/b"),
            await KeyAsync("tank_a/b"),
        ];

        const string Stem = "tank_a_b_2024-02-13_14:30:00";
        Assert.Equal(
            [
                $"{client.Id}/{Stem}.zfs.gz",
                $"{client.Id}/{Stem}~2.zfs.gz",
                $"{client.Id}/{Stem}~3.zfs.gz",
                $"{client.Id}/{Stem}~4.zfs.gz",
            ],
            keys
        );

        async Task<string> KeyAsync(string dataset) =>
            (await client.AskAsync(new JsonObject { ["dataset_name"] = dataset, ["timestamp"] = Time }))
                .MustSucceed()
                .Json.GetProperty("storage_key")
                .GetString()!;
    }

    [Fact]
    public async Task A_key_gets_a_number_also_if_only_the_compression_differs()
    {
        using var client = await server.NewClientAsync();
        List<string?> keys = [];
        foreach (var compression in (string[])["gzip", "none"])
        {
            keys.Add((
                    await client.AskAsync(
                        new JsonObject
                        {
                            ["dataset_name"] = "tank/data",
                            ["timestamp"] = "2024-02-13T14:30:00Z",
                            ["compression"] = compression,
                        }
                    )
                ).MustSucceed().Json.GetProperty("storage_key").GetString());
        }

        Assert.Equal(
            [$"{client.Id}/tank_data_2024-02-13_14:30:00.zfs.gz", $"{client.Id}/tank_data_2024-02-13_14:30:00~2.zfs"],
            keys
        );
    }

    private static async Task<(HttpResponseMessage Response, byte[] Bytes)> DownloadAsync(
        Uploader client,
        string url,
        params (string Name, string Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        foreach (var (name, value) in headers)
            request.Headers.Add(name, value);
        var response = await client.Http.SendAsync(request, Token);
        return (response, await response.Content.ReadAsByteArrayAsync(Token));
    }
}
