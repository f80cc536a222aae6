using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Http;

/// <summary>
/// A request without a client's own key learns nothing; with the key it reaches that client's data and no other's.
/// </summary>
public sealed class AuthenticationTests(SharedServer server) : IClassFixture<SharedServer>
{
    /// <summary>All endpoints that need a key; {0} is an upload's id, {1} a backup's.</summary>
    private static readonly (string Method, string Path)[] Endpoints =
    [
        ("POST", "upload"),
        ("POST", "upload-stream/{0}"),
        ("GET", "upload-stream/{0}"),
        ("DELETE", "upload-stream/{0}"),
        ("GET", "status"),
        ("GET", "snapshots"),
        ("GET", "download?snapshot_id={1}"),
    ];

    /// <summary>Ways to fail; each derives the id and the key to send from the valid ones.</summary>
    private static readonly Dictionary<string, Func<string, string, (string? Id, string? Key)>> Impostors = new(
        StringComparer.Ordinal
    )
    {
        ["a wrong key"] = (id, _) => (id, "zsm_" + new string('0', 64)),
        ["a key with one letter changed"] = (id, key) => (id, key[..^1] + (key[^1] == '0' ? '1' : '0')),
        ["half a key"] = (id, key) => (id, key[..20]),
        ["the key's hash"] = (id, key) => (id, Hash(key)),
        ["the key's hash in upper case"] = (id, key) => (id, Hash(key).ToUpperInvariant()),
        ["an unknown client"] = (_, key) => ("nobody", key),
        ["the client's name in upper case"] = (id, key) => (id.ToUpperInvariant(), key),
        ["an empty key"] = (id, _) => (id, ""),
        ["no key"] = (id, _) => (id, null),
        ["nothing"] = (_, _) => (null, null),
        ["a wrong key and no name"] = (_, _) => (null, "zsm_" + new string('0', 64)),
    };

    public static TheoryData<string> ImpostorNames => [.. Impostors.Keys, "another client's key", "a disabled client"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(ImpostorNames))]
    public async Task Every_endpoint_refuses_wrong_keys_without_a_hint(string impostor)
    {
        using var client = await server.NewClientAsync();
        using var other = await server.NewClientAsync();
        var backup = (await client.StoreAsync(Recorded.Plain("empty")))
            .Json.GetProperty("snapshot")
            .GetProperty("snapshot_id")
            .GetString()!;
        var upload = await client.AnnounceAsync(new JsonObject { ["dataset_name"] = "tank/data" });
        var before = await client.PictureAsync();
        if (impostor == "a disabled client")
            EditClients(clients => Entry(clients, client.Id)["enabled"] = false);
        var (id, key) = impostor switch
        {
            "a disabled client" => (client.Id, client.Key),
            "another client's key" => (client.Id, other.Key),
            _ => Impostors[impostor](client.Id, client.Key),
        };

        HashSet<string> answers = [(await AskAsync("GET", "status", null, null)).Text];
        foreach (var (method, path) in Endpoints)
        {
            var refused = await AskAsync(
                method,
                string.Format(null, path, upload, Uri.EscapeDataString(backup)),
                id,
                key
            );
            refused.AssertRefused(HttpStatusCode.Unauthorized, "unauthorized");
            answers.Add(refused.Text);
        }

        Assert.Single(answers);
        if (impostor == "a disabled client")
            EditClients(clients => Entry(clients, client.Id)["enabled"] = true);
        Assert.Equal(before, await client.PictureAsync());
    }

    [Theory]
    [InlineData("curl -H \"X-Client-ID: $ID\" -H \"X-API-Key: $KEY\" $URL/status")]
    [InlineData("curl -H \"X-API-Key: $KEY\" $URL/status")]
    [InlineData("curl -H \"Authorization: Bearer $KEY\" $URL/status")]
    [InlineData("curl -H \"X-Client-ID: $ID\" -H \"authorization: bearer $KEY\" $URL/status")]
    [InlineData("curl \"$URL/status?client_id=$ID&api_key=$KEY\"")]
    [InlineData("curl \"$URL/status?api_key=$KEY\"")]
    [InlineData("curl -X DELETE \"$URL/upload-stream/$UPLOAD?client_id=$ID&api_key=$KEY\"")]
    [InlineData(
        "curl -H 'Content-Type: application/json' -d "
            + "\"{\\\"client_id\\\":\\\"$ID\\\",\\\"api_key\\\":\\\"$KEY\\\",\\\"dataset_name\\\":\\\"tank/data\\\"}\" "
            + "$URL/upload"
    )]
    [InlineData(
        "curl -H \"X-API-Key: $KEY\" -H 'Content-Type: application/json' -d "
            + "\"{\\\"client_id\\\":\\\"$ID\\\",\\\"dataset_name\\\":\\\"tank/data\\\"}\" $URL/upload"
    )]
    public async Task Every_way_to_send_the_key_works(string command)
    {
        using var client = await server.NewClientAsync();
        var upload = await client.AnnounceAsync(new JsonObject { ["dataset_name"] = "tank/data" });

        var answer = await Curl.RunAsync(
            server.Process,
            client,
            command.Replace("$UPLOAD", upload, StringComparison.Ordinal)
        );

        Assert.True(answer.MustSucceed().Json.GetProperty("success").GetBoolean());
    }

    [Fact]
    public async Task A_stream_is_sent_with_the_key_in_the_query()
    {
        using var client = await server.NewClientAsync();
        var upload = await client.AnnounceAsync(new JsonObject { ["dataset_name"] = "tank/data" });

        var answer = await Curl.RunAsync(
            server.Process,
            client,
            $"curl --data-binary @'{Recorded.PathOf("empty")}' "
                + $"\"$URL/upload-stream/{upload}?client_id=$ID&api_key=$KEY\""
        );

        Assert.Equal("committed", answer.MustSucceed().Json.GetProperty("state").GetString());
    }

    [Fact]
    public async Task Another_client_s_uploads_and_backups_seem_not_to_exist()
    {
        using var owner = await server.NewClientAsync();
        using var other = await server.NewClientAsync();
        var stored = await owner.StoreAsync(Recorded.Plain("empty"));
        var upload = await owner.AnnounceAsync(new JsonObject { ["dataset_name"] = "tank/data" });
        var before = await owner.PictureAsync();
        string[] names =
        [
            stored.Json.GetProperty("snapshot").GetProperty("snapshot_id").GetString()!,
            stored.Json.GetProperty("storage_key").GetString()!,
        ];

        foreach (var name in names)
        {
            var refused = await other.GetAsync($"download?snapshot_id={Uri.EscapeDataString(name)}");
            refused.AssertRefused(HttpStatusCode.NotFound, "not_found");
            Assert.Equal(
                (await other.GetAsync("download?snapshot_id=nothing")).Text,
                refused.Text.Replace(name, "nothing", StringComparison.Ordinal)
            );
        }

        var hidden = await other.GetAsync($"upload-stream/{upload}");
        hidden.AssertRefused(HttpStatusCode.NotFound, "not_found");
        Assert.Equal((await other.GetAsync($"upload-stream/{Guid.NewGuid():N}")).Text, hidden.Text);
        (await other.DeleteAsync($"upload-stream/{upload}")).AssertRefused(HttpStatusCode.NotFound, "not_found");
        (await other.SendAsync(upload, Recorded.Gzip("volume"))).AssertRefused(HttpStatusCode.NotFound, "not_found");
        Assert.Empty((await other.GetAsync("snapshots")).Json.GetProperty("snapshots").EnumerateArray());
        Assert.Equal(before, await owner.PictureAsync());
    }

    [Fact]
    public async Task A_body_that_names_another_client_than_its_key_is_refused()
    {
        using var client = await server.NewClientAsync();
        using var other = await server.NewClientAsync();

        (
            await client.AskAsync(new JsonObject { ["client_id"] = other.Id, ["dataset_name"] = "tank/data" })
        ).AssertRefused(HttpStatusCode.Unauthorized, "unauthorized");

        Assert.Equal(0, (await other.GetAsync("status")).Json.GetProperty("open_uploads").GetInt32());
    }

    [Fact]
    public async Task Keys_are_stored_nowhere_and_their_hashes_only_in_the_clients_file()
    {
        await using var own = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(own);
        await client.StoreAsync(Recorded.Plain("empty"));
        var upload = await client.AnnounceAsync(
            new JsonObject { ["dataset_name"] = "tank/data", ["api_key"] = client.Key }
        );
        await client.SendAsync(upload, "noise"u8.ToArray());
        await Curl.RunAsync(own, client, "curl \"$URL/status?client_id=$ID&api_key=$KEY\"");
        await Curl.RunAsync(own, client, "curl \"$URL/nothing?client_id=$ID&api_key=$KEY\"");
        await Curl.RunAsync(
            own,
            client,
            "curl -H 'Content-Type: application/json' -d \"{\\\"api_key\\\":\\\"$KEY\\\"\" $URL/upload"
        );

        await own.StopAsync();

        string[] secrets = [client.Key, Hash(client.Key)];
        Assert.DoesNotContain(secrets, secret => own.Log.Contains(secret, StringComparison.OrdinalIgnoreCase));
        var files = Directory.GetFiles(own.DataFolder, "*", SearchOption.AllDirectories);
        Assert.Equal(
            [Path.Combine(own.DataFolder, "clients.json")],
            files.Where(file =>
                secrets.Any(secret =>
                    File.ReadAllText(file, Encoding.Latin1).Contains(secret, StringComparison.OrdinalIgnoreCase)
                )
            )
        );
        Assert.DoesNotContain(
            client.Key,
            await File.ReadAllTextAsync(Path.Combine(own.DataFolder, "clients.json"), Token),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Changes_of_the_clients_file_apply_immediately()
    {
        using var client = await server.NewClientAsync();

        EditClients(clients => Entry(clients, client.Id)["max_size_bytes"] = 12345);
        Assert.Equal(12345, (await client.GetAsync("status")).Json.GetProperty("max_size_bytes").GetInt64());
        EditClients(clients => Entry(clients, client.Id)["api_key"] = Hash("a new key"));
        (await client.GetAsync("status")).AssertRefused(HttpStatusCode.Unauthorized, "unauthorized");
        EditClients(clients => Entry(clients, client.Id)["api_key"] = Hash(client.Key));
        (await client.GetAsync("status")).MustSucceed();
        EditClients(clients => clients.Remove(Entry(clients, client.Id)));
        (await client.GetAsync("status")).AssertRefused(HttpStatusCode.Unauthorized, "unauthorized");
    }

    [Theory]
    [InlineData("[{\"client_id\": \"client1\",", "line 1")]
    [InlineData("", "JSON")]
    [InlineData("[\n{\"client_id\": \"a\", \"api_key\": 5}]", "[0].api_key")]
    [InlineData("[{\"client_id\": \"a\"}]", "api_key")]
    [InlineData("[{\"client_id\": \"../up\", \"api_key\": \"HASH\"}]", "client_id")]
    [InlineData("[{\"client_id\": \"a\", \"api_key\": \"secret123\"}]", "api_key")]
    [InlineData("[{\"client_id\": \"a\", \"api_key\": \"HASH\", \"max_size_bytes\": -1}]", "max_size_bytes")]
    [InlineData("[{\"client_id\": \"a\", \"api_key\": \"HASH\", \"max_sise_bytes\": 1}]", "max_sise_bytes")]
    [InlineData("[{\"client_id\": \"a\", \"api_key\": \"HASH\", \"storage_type\": \"tape\"}]", "storage_type")]
    [InlineData(
        "[{\"client_id\": \"a\", \"api_key\": \"HASH\", \"rotation_policy\": {\"keep_daily\": -1}}]",
        "rotation_policy"
    )]
    [InlineData(
        "[{\"client_id\": \"a\", \"api_key\": \"HASH\"}, {\"client_id\": \"A\", \"api_key\": \"HASH\"}]",
        "twice"
    )]
    [InlineData("[null]", "entry 1")]
    [InlineData("{}", "line 1")]
    public async Task A_broken_clients_file_leaves_the_clients_as_they_were_and_is_named_in_the_log(
        string text,
        string fault
    )
    {
        await using var own = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(own);
        (await client.GetAsync("status")).MustSucceed();
        var path = Path.Combine(own.DataFolder, "clients.json");
        var good = await File.ReadAllTextAsync(path, Token);

        await File.WriteAllTextAsync(path, text.Replace("HASH", Hash("x"), StringComparison.Ordinal), Token);
        (await client.GetAsync("status")).MustSucceed();

        await Patience.UntilAsync("the log names the fault", () =>
            own.Log.Contains("clients.json is not usable", StringComparison.Ordinal)
        );
        var line = own.Log.Split('\n').Single(l => l.Contains("clients.json is not usable", StringComparison.Ordinal));
        Assert.True(line.Contains(fault, StringComparison.Ordinal), line);
        Assert.DoesNotContain("secret123", own.Log, StringComparison.Ordinal);
        var refused = await own.RunAsync("client", "list");
        Assert.Equal(3, refused.ExitCode);
        Assert.Contains(fault, refused.Error, StringComparison.Ordinal);
        await File.WriteAllTextAsync(path, good, Token);
        await own.AddClientAsync("client2");
        (await client.GetAsync("status")).MustSucceed();
    }

    /// <summary>
    /// A missing field must never mean less than its default: no rotation may read it as "keep none".
    /// </summary>
    [Fact]
    public async Task Fields_missing_in_the_clients_file_have_their_defaults()
    {
        await using var own = await ServerProcess.StartAsync();
        await File.WriteAllTextAsync(
            Path.Combine(own.DataFolder, "clients.json"),
            $"[{{\"client_id\": \"a\", \"api_key\": \"{Hash("x")}\", \"rotation_policy\": {{\"keep_daily\": 3}}}}]",
            Token
        );

        using var http = own.As("a", "x");
        var status = (await Answer.ReadAsync(await http.GetAsync("status", Token))).MustSucceed().Json;
        Assert.Equal(
            ("s3", 0),
            (status.GetProperty("storage_type").GetString(), status.GetProperty("max_size_bytes").GetInt64())
        );
        var policy = JsonNode.Parse((await own.RunAsync("client", "list", "--json")).MustSucceed().Output)!["results"]![
            0
        ]!["rotation_policy"]!;
        Assert.Equal(
            (24, 3, 4, 12),
            (
                (int)policy["keep_hourly"]!,
                (int)policy["keep_daily"]!,
                (int)policy["keep_weekly"]!,
                (int)policy["keep_monthly"]!
            )
        );
    }

    private static string Hash(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    private static JsonNode Entry(JsonArray clients, string id) =>
        clients.Single(c => c!["client_id"]!.GetValue<string>() == id)!;

    private async Task<Answer> AskAsync(string method, string path, string? id, string? key)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (id is not null)
            request.Headers.Add("X-Client-ID", id);
        if (key is not null)
            request.Headers.Add("X-API-Key", key);
        if (method == "POST")
            request.Content = new StringContent("{\"dataset_name\":\"tank/data\"}", Encoding.UTF8, "application/json");
        return await Answer.ReadAsync(await server.Process.Http.SendAsync(request, Token));
    }

    /// <summary>As an administrator's editor does: a new file replaces the old one.</summary>
    private void EditClients(Action<JsonArray> edit)
    {
        var path = Path.Combine(server.Process.DataFolder, "clients.json");
        var clients = JsonNode.Parse(File.ReadAllText(path))!.AsArray();
        edit(clients);
        File.WriteAllText(path + ".new", clients.ToJsonString());
        File.Move(path + ".new", path, overwrite: true);
    }
}
