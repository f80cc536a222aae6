using System.Net;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Servers;

/// <summary>GET /ready reports faults as long as they last, and nothing that is not public.</summary>
public sealed class ReadyTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Three servers at once: most of the time passes until a cached response of GET /ready expires.</summary>
    [Fact]
    public Task Faults_are_named_until_they_are_fixed() =>
        Task.WhenAll(((string[])["catalogue", "store", "clients"]).Select(IsNamedUntilItIsFixedAsync));

    [Theory]
    [InlineData("health")]
    [InlineData("ready")]
    public async Task A_monitor_may_ask_without_a_body(string path)
    {
        await using var server = await ServerProcess.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Head, path);

        using var answer = await server.Http.SendAsync(request, Token);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Empty(await answer.Content.ReadAsByteArrayAsync(Token));
    }

    private static async Task IsNamedUntilItIsFixedAsync(string what)
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server, "secret-name");
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(server)).Status);
        var path = Path.Combine(
            server.DataFolder,
            what switch
            {
                "catalogue" => "metadata.db",
                "store" => "objects",
                _ => "clients.json",
            }
        );

        if (what == "clients")
            await File.WriteAllTextAsync(path + ".new", "[{\"client_id\": \"secret-name\"}]", Token);
        Directory.Move(path, path + ".good");
        if (what == "clients")
            File.Move(path + ".new", path);
        await Patience.UntilAsync("the fault is noticed", async () =>
            (await AskAsync(server)).Status == HttpStatusCode.ServiceUnavailable
        );

        var answer = await AskAsync(server);
        Assert.Equal("not_ready", answer.Json.GetProperty("status").GetString());
        Assert.Equal(
            what,
            Assert
                .Single(answer.Json.GetProperty("checks").EnumerateArray(), check =>
                    !check.GetProperty("ok").GetBoolean()
                )
                .GetProperty("name")
                .GetString()
        );
        Assert.DoesNotContain("secret-name", answer.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(server.Folder, answer.Text, StringComparison.Ordinal);
        await server.MustLogAsync($"Not ready: {what}");

        if (what == "clients")
            File.Delete(path);
        Directory.Move(path + ".good", path);
        await Patience.UntilAsync("it is mended", async () => (await AskAsync(server)).Status == HttpStatusCode.OK);
        (await client.GetAsync("status")).MustSucceed();
    }

    private static async Task<Answer> AskAsync(ServerProcess server) =>
        await Answer.ReadAsync(await server.Http.GetAsync("ready", Token));
}
