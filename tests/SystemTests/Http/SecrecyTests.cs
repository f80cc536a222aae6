using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Http;

/// <summary>A key that is sent, valid or not and in whatever way, is written nowhere.</summary>
public sealed class SecrecyTests
{
    private static readonly Dictionary<string, string> Unlimited = new(StringComparer.Ordinal)
    {
        ["AUTH_FAILURES_PER_MINUTE"] = "0",
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_key_is_in_a_log_however_it_was_sent()
    {
        await using var server = await ServerProcess.StartAsync(Unlimited);
        using var client = await Uploader.CreateAsync(server);
        await client.StoreAsync(Recorded.Plain("empty"));
        var rotated = await server.RunAsync("client", "rotate-key", client.Id, "--json");
        var renewed = CommandJson.Result(rotated.MustSucceed().Output).GetProperty("api_key").GetString()!;
        string[] right = [client.Key, renewed];
        string[] wrong = [.. right.Select(key => key[..^1] + (key[^1] == '0' ? '1' : '0')), "my-own-secret"];

        foreach (var key in right)
        {
            foreach (var request in Ways(client.Id, key))
                Assert.Equal(HttpStatusCode.OK, await SendAsync(server, request));
            foreach (var request in Mistakes(client.Id, key))
                await SendAsync(server, request);
        }

        foreach (var key in wrong)
        {
            foreach (var request in Ways(client.Id, key))
                Assert.Equal(HttpStatusCode.Unauthorized, await SendAsync(server, request));
            foreach (var request in Mistakes(client.Id, key))
                await SendAsync(server, request);
        }

        var shown = new StringBuilder();
        foreach (
            var command in (string[][])
                [
                    ["audit", "--limit", "1000"],
                    ["audit", "--json"],
                    ["client", "list", "--json"],
                    ["client", "show", client.Id],
                    ["client", "show", client.Id, "--json"],
                    ["client", "set", client.Id, "--max-size", "1G"],
                ]
        )
            shown.AppendLine((await server.RunAsync(command)).MustSucceed().Text);
        await server.StopAsync();

        string[] secrets = [.. right, .. wrong, .. right.Select(Hash)];
        Assert.Contains("auth.failed", shown.ToString(), StringComparison.Ordinal); // otherwise nothing was checked
        AssertNone(secrets, "what commands show", shown.ToString());
        AssertNone(secrets, "the server's log", server.Log);
        var files = Directory
            .GetFiles(server.DataFolder, "*", SearchOption.AllDirectories)
            .Where(file => Path.GetFileName(file) != "clients.json")
            .ToList();
        Assert.Contains(Path.Combine(server.DataFolder, "audit.log"), files);
        foreach (var file in files)
            AssertNone(secrets, file, await File.ReadAllTextAsync(file, Encoding.Latin1, Token));
        AssertNone(
            [.. right, .. wrong],
            "clients.json",
            await File.ReadAllTextAsync(Path.Combine(server.DataFolder, "clients.json"), Token)
        );
    }

    [Fact]
    public async Task Too_many_wrong_keys_lock_out_their_client_and_no_other()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        using var other = await Uploader.CreateAsync(server, "client2");
        using var impostor = server.As(client.Id, "wrong");

        for (var failure = 0; failure < 10; failure++)
            (await Answer.ReadAsync(await impostor.GetAsync("status", Token))).AssertRefused(
                HttpStatusCode.Unauthorized,
                "unauthorized"
            );
        var refused = await Answer.ReadAsync(await impostor.GetAsync("status", Token));

        refused.AssertRefused(HttpStatusCode.TooManyRequests, "too_many_failures");
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60));
        (await client.GetAsync("status")).AssertRefused(HttpStatusCode.TooManyRequests, "too_many_failures");
        (await other.GetAsync("status")).MustSucceed();
        Assert.Single(await AuditAsync(server, "--event", "auth.failed")); // the others are counted
    }

    [Fact]
    public async Task The_audit_log_records_what_happened_to_a_client_and_its_backup()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var stored = await client.StoreAsync(Recorded.Gzip("full"), "tank/a", "gzip");
        var id = stored.Json.GetProperty("snapshot").GetProperty("snapshot_id").GetString()!;
        (await client.RestoreAsync("save", "1", "saved")).MustSucceed();
        (await server.RunAsync("client", "set", client.Id, "--max-size", "5k", "--keep-daily", "3")).MustSucceed();
        (await server.RunAsync("client", "set", client.Id, "--max-size", "5k")).MustSucceed(); // changes nothing
        (await server.RunAsync("client", "disable", client.Id)).MustSucceed();
        Assert.Equal(9, (await server.RunAsync("client", "remove", client.Id, "--yes")).ExitCode);
        (await server.RunAsync("client", "remove", client.Id, "--yes", "--keep-backups")).MustSucceed();

        var events = await AuditAsync(server);

        string[] expected =
        [
            "client.added",
            "backup.committed",
            "backup.manifest_read",
            "backup.downloaded",
            "client.changed",
            "client.disabled",
            "client.removed",
        ];
        Assert.Equal(expected, events.Select(e => (string)e!["event"]!));
        Assert.All(events, e => Assert.Equal(client.Id, (string)e!["client_id"]!));
        Assert.Equal(
            (id, "127.0.0.1", "client"),
            ((string)events[1]!["snapshot_id"]!, (string)events[1]!["address"]!, (string)events[1]!["actor"]!)
        );
        Assert.Equal("none → 5000", (string)events[4]!["details"]!["max_size_bytes"]!);
        Assert.Equal("1", (string)events[6]!["details"]!["kept_backups"]!);
        Assert.True(File.Exists(client.ObjectOf(stored)));
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite,
            File.GetUnixFileMode(Path.Combine(server.DataFolder, "audit.log"))
        );
    }

    private static async Task<JsonArray> AuditAsync(ServerProcess server, params string[] options) =>
        JsonNode.Parse((await server.RunAsync(["audit", "--json", .. options])).MustSucceed().Output)![
            "results"
        ]!.AsArray();

    /// <summary>Every way to send a key that is accepted.</summary>
    private static IEnumerable<HttpRequestMessage> Ways(string id, string key) =>
        [
            Get("status", ("X-API-Key", key)),
            Get("status", ("X-Client-ID", id), ("X-API-Key", key)),
            Get("status", ("Authorization", $"Bearer {key}")),
            Get($"status?api_key={key}"),
            Get($"snapshots?client_id={id}&api_key={key}"),
            Post($"{{\"client_id\":\"{id}\",\"api_key\":\"{key}\",\"dataset_name\":\"tank/data\"}}"),
            Post($"{{\"api_key\":\"{key}\",\"dataset_name\":\"tank/data\"}}"),
        ];

    /// <summary>Where keys are sent by mistake.</summary>
    private static IEnumerable<HttpRequestMessage> Mistakes(string id, string key) =>
        [
            Get("status", ("X-Client-ID", key), ("X-API-Key", key)),
            Get($"status?client_id={key}&api_key={id}"),
            Get($"{key}/status"),
            Get($"download?snapshot_id={key}", ("X-API-Key", key)),
            Get($"upload-stream/{key}", ("Authorization", $"Basic {key}")),
            Post($"{{\"api_key\":\"{key}\",\"dataset_name\":"),
            Post($"{{\"api_key\":[\"{key}\"],\"dataset_name\":\"tank/data\"}}"),
            Post($"{{\"client_id\":\"{key}\",\"api_key\":\"{key}\",\"dataset_name\":\"{key}\"}}"),
        ];

    private static HttpRequestMessage Get(string path, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    private static HttpRequestMessage Post(string body) =>
        new(HttpMethod.Post, "upload") { Content = new StringContent(body) };

    private static async Task<HttpStatusCode> SendAsync(ServerProcess server, HttpRequestMessage request)
    {
        using (request)
            return (await Answer.ReadAsync(await server.Http.SendAsync(request, Token))).Status;
    }

    private static void AssertNone(IEnumerable<string> secrets, string where, string text)
    {
        foreach (var secret in secrets)
            Assert.False(text.Contains(secret, StringComparison.OrdinalIgnoreCase), $"{where} holds {secret}");
    }

    private static string Hash(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
}
