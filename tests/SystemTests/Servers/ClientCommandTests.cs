using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Servers;

/// <summary><c>zfs-server client …</c> beside a running server, which applies each change immediately.</summary>
public sealed class ClientCommandTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Both_keys_work_until_the_old_one_ends()
    {
        await using var server = await ServerProcess.StartAsync();
        using var old = await Uploader.CreateAsync(server);
        var stored = await old.StoreAsync(Recorded.Plain("empty"));

        using var renewed = server.As(old.Id, await RotateAsync(server, old.Id));
        (await old.GetAsync("status")).MustSucceed();
        var list = (await Answer.ReadAsync(await renewed.GetAsync("snapshots", Token))).MustSucceed();
        Assert.Contains(stored.Json.GetProperty("storage_key").GetString()!, list.Text, StringComparison.Ordinal);

        using var last = server.As(old.Id, await RotateAsync(server, old.Id, "--overlap", "0"));
        (await old.GetAsync("status")).AssertRefused(HttpStatusCode.Unauthorized, "unauthorized");
        (await Answer.ReadAsync(await renewed.GetAsync("status", Token))).AssertRefused(
            HttpStatusCode.Unauthorized,
            "unauthorized"
        );
        (await Answer.ReadAsync(await last.GetAsync("status", Token))).MustSucceed();
    }

    [Fact]
    public async Task A_change_prints_the_old_and_the_new_value()
    {
        await using var server = await ServerProcess.StartAsync();
        await server.AddClientAsync("web1", "--keep-hourly", "48", "--storage-type", "local");

        var text = (await server.RunAsync("client", "set", "web1", "--max-size", "500G", "--dataset", "pool/x"))
            .MustSucceed()
            .Output;
        Assert.Contains("max_size_bytes: none → 500000000000", text, StringComparison.Ordinal);
        Assert.Contains("dataset: backup/web1 → pool/x", text, StringComparison.Ordinal);
        var changes = JsonNode.Parse(
            (await server.RunAsync("client", "set", "web1", "--no-policy", "--storage-type", "s3", "--json"))
                .MustSucceed()
                .Output
        )!["results"]![0]!["changes"]!.AsArray();
        Assert.Equal(
            ["storage_type: local → s3", "rotation_policy: 48 hourly, 7 daily, 4 weekly, 12 monthly → none"],
            changes.Select(change => $"{change!["field"]}: {change["old"]} → {change["new"]}")
        );
        var shown = JsonNode.Parse((await server.RunAsync("client", "show", "web1", "--json")).MustSucceed().Output)![
            "results"
        ]![0]!;
        Assert.Equal(
            (500000000000, "pool/x", "s3", null),
            (
                (long)shown["max_size_bytes"]!,
                (string)shown["dataset"]!,
                (string)shown["storage_type"]!,
                shown["rotation_policy"]
            )
        );
    }

    /// <summary>The catalogue only adds the machines: what an administrator looks up first must not need it.</summary>
    [Theory]
    [InlineData("damaged", "cannot be read")]
    [InlineData("later", "was written by a later version of zfs-server (schema 999")]
    public async Task Clients_are_listed_and_shown_while_the_catalogue_cannot_be_read(string what, string reason)
    {
        await using var server = await ServerProcess.StartAsync();
        await server.AddClientAsync("web1");
        await server.StopAsync();
        var catalogue = Path.Combine(server.DataFolder, "metadata.db");
        if (what == "damaged")
            await File.WriteAllTextAsync(catalogue, new string('x', 8192), Token);
        else
            SetSchema(catalogue, 999);

        var list = (await server.RunAsync("client", "list")).MustSucceed();
        var show = (await server.RunAsync("client", "show", "web1")).MustSucceed();

        Assert.Contains("web1", list.Output, StringComparison.Ordinal);
        Assert.Contains("client_id: web1", show.Output, StringComparison.Ordinal);
        foreach (var text in new[] { list.Error, show.Error })
        {
            Assert.Contains("The clients' machines are not shown. The catalogue ", text, StringComparison.Ordinal);
            Assert.Contains(reason, text, StringComparison.Ordinal);
        }
    }

    private static void SetSchema(string catalogue, int version)
    {
        using var connection = new SqliteConnection($"Data Source={catalogue};Pooling=False");
        connection.Open();
        using var set = connection.CreateCommand();
        set.CommandText = string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version = {version}");
        set.ExecuteNonQuery();
    }

    [Fact]
    public async Task A_client_with_backups_is_removed_only_on_purpose_and_loses_nothing()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server, "web1");
        await client.StoreAsync(Recorded.Plain("empty"));
        var files = server.StoredFiles();

        Assert.Equal(2, (await server.RunAsync("client", "remove", "web1")).ExitCode);
        Assert.Equal(9, (await server.RunAsync("client", "remove", "web1", "--yes")).ExitCode);
        (await client.GetAsync("status")).MustSucceed();
        var removed = (await server.RunAsync("client", "remove", "web1", "--yes", "--keep-backups")).MustSucceed();

        Assert.Contains(
            "Nothing was deleted: its 1 backup and 0 open uploads stay",
            removed.Output,
            StringComparison.Ordinal
        );
        (await client.GetAsync("status")).AssertRefused(HttpStatusCode.Unauthorized, "unauthorized");
        Assert.Equal(files, server.StoredFiles());
        using var again = server.As("web1", await server.AddClientAsync("web1"));
        Assert.Equal(
            1,
            (await Answer.ReadAsync(await again.GetAsync("status", Token)))
                .MustSucceed()
                .Json.GetProperty("snapshot_count")
                .GetInt32()
        );
    }

    [Theory]
    [InlineData(8, "show", "nobody")]
    [InlineData(8, "set", "nobody", "--max-size", "1G")]
    [InlineData(8, "rotate-key", "nobody")]
    [InlineData(8, "disable", "nobody")]
    [InlineData(8, "remove", "nobody", "--yes")]
    [InlineData(2, "set", "web1")]
    [InlineData(2, "set", "web1", "--keep-daily", "3", "--no-policy")]
    [InlineData(2, "set", "web1", "--keep-daily", "-1")]
    [InlineData(2, "set", "web1", "--keep-hourly", "1000001")]
    [InlineData(2, "set", "web1", "--max-size", "much")]
    [InlineData(2, "set", "web1", "--storage-type", "tape")]
    [InlineData(2, "rotate-key", "web1", "--overlap", "-1")]
    [InlineData(2, "add", "web2", "--dataset", "/x")]
    public async Task An_impossible_change_changes_nothing(int exitCode, params string[] command)
    {
        await using var server = await ServerProcess.StartAsync();
        await server.AddClientAsync("web1");
        var before = await File.ReadAllTextAsync(Path.Combine(server.DataFolder, "clients.json"), Token);

        Assert.Equal(exitCode, (await server.RunAsync(["client", .. command])).ExitCode);

        Assert.Equal(before, await File.ReadAllTextAsync(Path.Combine(server.DataFolder, "clients.json"), Token));
    }

    private static async Task<string> RotateAsync(ServerProcess server, string id, params string[] options)
    {
        var rotated = await server.RunAsync(["client", "rotate-key", id, "--json", .. options]);
        return CommandJson.Result(rotated.MustSucceed().Output).GetProperty("api_key").GetString()!;
    }
}
