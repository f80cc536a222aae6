using System.Net;
using System.Net.Http.Headers;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Http;

/// <summary>GET /snapshots/{id}/manifest, and what a restore does without one.</summary>
public sealed class ManifestTests(SharedServer server) : IClassFixture<SharedServer>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>nginx passes it on so, if proxy_pass has a path.</summary>
    [Fact]
    public async Task The_slash_of_an_id_may_come_decoded()
    {
        using var client = await server.NewClientAsync();
        var id = IdOf(await client.StoreAsync(Recorded.Gzip("full"), "tank/a", "gzip"));

        using var answer = await client.Http.GetAsync($"snapshots/{id}/manifest", Token);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task A_manifest_is_returned_as_it_is_stored()
    {
        using var client = await server.NewClientAsync();
        var stored = await client.StoreAsync(Recorded.Gzip("full"), "tank/a", "gzip");

        foreach (var id in (string[])[IdOf(stored), stored.Json.GetProperty("storage_key").GetString()!])
        {
            using var answer = await client.Http.GetAsync(PathOf(id), Token);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal("application/json", answer.Content.Headers.ContentType!.MediaType);
            Assert.Equal(
                await File.ReadAllBytesAsync(client.ObjectOf(stored) + ".manifest.json", Token),
                await answer.Content.ReadAsByteArrayAsync(Token)
            );

            using var again = new HttpRequestMessage(HttpMethod.Get, PathOf(id))
            {
                Headers = { IfNoneMatch = { EntityTagHeaderValue.Parse(answer.Headers.ETag!.ToString()) } },
            };
            Assert.Equal(HttpStatusCode.NotModified, (await client.Http.SendAsync(again, Token)).StatusCode);
        }
    }

    [Fact]
    public async Task No_client_sees_the_manifest_of_another()
    {
        using var owner = await server.NewClientAsync();
        using var other = await server.NewClientAsync();
        var id = IdOf(await owner.StoreAsync(Recorded.Gzip("full"), "tank/a", "gzip"));

        (await other.GetAsync(PathOf(id))).AssertRefused(HttpStatusCode.NotFound, "not_found", id);
        (await owner.GetAsync(PathOf("client1/no-such"))).AssertRefused(
            HttpStatusCode.NotFound,
            "not_found",
            "client1/no-such"
        );
        using var nobody = await server.Process.Http.GetAsync(PathOf(id), Token);
        Assert.Equal(HttpStatusCode.Unauthorized, nobody.StatusCode);
    }

    [Theory]
    [InlineData("gone", "not_found")]
    [InlineData("damaged", "object_damaged")]
    [InlineData("another's", "object_damaged")]
    public async Task A_backup_without_a_valid_manifest_can_still_be_read_and_verified(string what, string code)
    {
        using var client = await server.NewClientAsync();
        var stored = await client.StoreAsync(Recorded.Gzip("full"), "tank/a", "gzip");
        var other = await client.StoreAsync(Recorded.Gzip("empty"), "tank/b", "gzip");
        var manifest = client.ObjectOf(stored) + ".manifest.json";
        if (what == "gone")
            File.Delete(manifest);
        else if (what == "damaged")
            await File.WriteAllTextAsync(manifest, "{}", Token);
        else
            File.Copy(client.ObjectOf(other) + ".manifest.json", manifest, overwrite: true);

        Assert.Equal(code, (await client.GetAsync(PathOf(IdOf(stored)))).Code);
        var verify = (await client.RestoreAsync("verify", "all", "--verbose")).MustSucceed();
        Assert.Contains($"{IdOf(stored)} is read in one go", verify.Error, StringComparison.Ordinal);
        Assert.Contains("2 of 2 are complete and valid", verify.Output, StringComparison.Ordinal);
        (await client.RestoreAsync("save", "1", "a")).MustSucceed();
        (await client.RestoreAsync("save", "2", "b")).MustSucceed();

        var bytes = await File.ReadAllBytesAsync(client.ObjectOf(stored), Token);
        bytes[bytes.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(client.ObjectOf(stored), bytes, Token);
        Assert.Contains(
            $"{IdOf(stored)}: DAMAGED",
            (await client.RestoreAsync("verify", "all")).Output,
            StringComparison.Ordinal
        );
    }

    private static string IdOf(Answer stored) =>
        stored.Json.GetProperty("snapshot").GetProperty("snapshot_id").GetString()!;

    private static string PathOf(string id) => $"snapshots/{Uri.EscapeDataString(id)}/manifest";
}
