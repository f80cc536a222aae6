using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Http;

/// <summary>
/// Every endpoint, called without permission: no data of another client is returned, and they seem not to exist.
/// </summary>
public sealed partial class EndpointAccessTests(SharedServer server) : IClassFixture<SharedServer>
{
    /// <summary>All endpoints of the server. Add new ones here, with their parameters.</summary>
    private static readonly Endpoint[] Table =
    [
        new("GET /health", Taking.Nobody),
        new("GET /ready", Taking.Nobody),
        new("GET /status", Taking.Client),
        new("GET /snapshots", Taking.Client),
        new("GET /snapshots/{id}/manifest", Taking.Name),
        new("POST /rotate", Taking.Client, "{}"),
        new("GET /rotation-policy", Taking.Client),
        new("POST /upload", Taking.Client, "{\"dataset_name\":\"tank/data\"}"),
        new("GET /uploads", Taking.Client),
        new("POST /upload-stream/{id}", Taking.Name, "noise"),
        new("PUT /upload-stream/{id}/parts/{number}", Taking.Name, "noise"),
        new(
            "POST /upload-stream/{id}/complete",
            Taking.Name,
            "{\"parts\":1,\"stream_bytes\":1,\"parts_sha256\":\"00\"}"
        ),
        new("GET /upload-stream/{id}", Taking.Name),
        new("GET /upload-stream/{id}/part-digests", Taking.Name),
        new("DELETE /upload-stream/{id}", Taking.Name),
        new("GET /download", Taking.Name, Query: "?snapshot_id={id}"),
    ];

    public static TheoryData<string> Closed =>
        [.. Table.Where(endpoint => endpoint.Takes != Taking.Nobody).Select(endpoint => endpoint.Name)];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_endpoint_is_in_the_table()
    {
        var documented = EndpointRowPattern()
            .Matches(await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs/http-api.md"), Token))
            .Select(match => match.Groups["name"].Value);

        // A unit test compares the documents with the source.
        Assert.Equal(
            documented.Order(StringComparer.Ordinal),
            Table.Select(endpoint => endpoint.Name).Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public async Task Public_endpoints_reveal_nothing_about_a_client()
    {
        using var owner = await OwnerAsync();

        foreach (var endpoint in Table.Where(endpoint => endpoint.Takes == Taking.Nobody))
        {
            var answer = await AskAsync(endpoint, server.Process.Http, "");
            owner.AssertNothingOf(answer.MustSucceed());
            Assert.DoesNotContain(server.Process.Folder, answer.Text, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Closed))]
    public async Task Without_a_valid_key_every_request_has_the_same_answer(string name)
    {
        var endpoint = Find(name);
        using var owner = await OwnerAsync();
        using var wrong = server.Process.As(owner.Client.Id, "zsm_" + new string('0', 64));
        using var off = await server.NewClientAsync();
        (await server.Process.RunAsync("client", "disable", off.Id)).MustSucceed();
        HashSet<string> answers = [];

        foreach (var http in (HttpClient[])[server.Process.Http, wrong, off.Http])
        {
            foreach (var thing in (string[])[.. owner.Names, Guid.NewGuid().ToString("N")])
            {
                var answer = await AskAsync(endpoint, http, thing);
                answer.AssertRefused(HttpStatusCode.Unauthorized, "unauthorized");
                answers.Add(answer.Text);
            }
        }

        Assert.Single(answers);
        await owner.AssertUnchangedAsync();
    }

    [Theory]
    [MemberData(nameof(Closed))]
    public async Task A_locked_out_client_does_not_reach_its_own_backups(string name)
    {
        var endpoint = Find(name);
        using var owner = await OwnerAsync();
        (await server.Process.RunAsync("client", "disable", owner.Client.Id)).MustSucceed();

        foreach (var thing in owner.Names)
            (await AskAsync(endpoint, owner.Client.Http, thing)).AssertRefused(
                HttpStatusCode.Unauthorized,
                "unauthorized"
            );

        (await server.Process.RunAsync("client", "enable", owner.Client.Id)).MustSucceed();
        await owner.AssertUnchangedAsync();
    }

    [Theory]
    [MemberData(nameof(Closed))]
    public async Task Another_client_finds_none_of_it(string name)
    {
        var endpoint = Find(name);
        using var owner = await OwnerAsync();
        using var other = await server.NewClientAsync();

        if (endpoint.Takes == Taking.Client)
        {
            owner.AssertNothingOf((await AskAsync(endpoint, other.Http, "")).MustSucceed());
        }
        else
        {
            foreach (var thing in owner.Names)
            {
                var nothing = "no" + thing[2..]; // as long, with the same marks
                var (asked, missing) = (
                    await AskAsync(endpoint, other.Http, thing),
                    await AskAsync(endpoint, other.Http, nothing)
                );
                asked.AssertRefused(HttpStatusCode.NotFound, "not_found");
                Assert.Equal(missing.Text, asked.Text.Replace(thing, nothing, StringComparison.Ordinal));
                Assert.Equal(missing.ContentHeaders.ToString(), asked.ContentHeaders.ToString());
            }
        }

        await owner.AssertUnchangedAsync();
    }

    private static Endpoint Find(string name) => Table.Single(endpoint => endpoint.Name == name);

    private static async Task<Answer> AskAsync(Endpoint endpoint, HttpClient http, string thing)
    {
        var path = (endpoint.Path + endpoint.Query)
            .Replace("{id}", Uri.EscapeDataString(thing), StringComparison.Ordinal)
            .Replace("{number}", "1", StringComparison.Ordinal);
        using var request = new HttpRequestMessage(new HttpMethod(endpoint.Method), path);
        if (endpoint.Body is not null)
            request.Content = new StringContent(endpoint.Body, Encoding.UTF8, "application/json");
        return await Answer.ReadAsync(await http.SendAsync(request, Token));
    }

    /// <summary>A client with a backup and an open upload.</summary>
    private async Task<Owner> OwnerAsync()
    {
        var client = await server.NewClientAsync();
        var stored = await client.StoreAsync(Recorded.Plain("empty"), "secret/dataset");
        var upload = await client.AnnounceAsync(new JsonObject { ["dataset_name"] = "secret/other" });
        string[] names =
        [
            upload,
            stored.Json.GetProperty("snapshot").GetProperty("snapshot_id").GetString()!,
            stored.Json.GetProperty("storage_key").GetString()!,
        ];
        return new Owner(client, names, await client.PictureAsync());
    }

    [GeneratedRegex(
        @"^\| `(?<name>(GET|POST|PUT|DELETE|HEAD|PATCH) [^`]+)` \|",
        RegexOptions.ExplicitCapture | RegexOptions.Multiline,
        10_000
    )]
    private static partial Regex EndpointRowPattern();

    private enum Taking
    {
        /// <summary>It needs no key.</summary>
        Nobody,

        /// <summary>It returns data of the requesting client.</summary>
        Client,

        /// <summary>It needs the id of an upload or a backup.</summary>
        Name,
    }

    private sealed record Endpoint(string Name, Taking Takes, string? Body = null, string Query = "")
    {
        public string Method => Name.Split(' ')[0];

        public string Path => Name.Split(' ')[1][1..];
    }

    private sealed record Owner(Uploader Client, IReadOnlyList<string> Names, string Picture) : IDisposable
    {
        public void AssertNothingOf(Answer answer) =>
            Assert.DoesNotContain(((string[])[.. Names, $"\"{Client.Id}\"", "secret/"]), text =>
                answer.Text.Contains(text, StringComparison.Ordinal)
            );

        public async Task AssertUnchangedAsync() => Assert.Equal(Picture, await Client.PictureAsync());

        public void Dispose() => Client.Dispose();
    }
}
