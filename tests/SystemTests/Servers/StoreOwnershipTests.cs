using System.Net;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Servers;

/// <summary>
/// A directory belongs to one catalogue: with another one, or without what the catalogue lists, the server does not
/// start, since it would accept incrementals whose bases it does not have.
/// </summary>
public sealed class StoreOwnershipTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_disk_that_is_not_mounted_prevents_the_start_and_nothing_is_created_in_its_place()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        await client.StoreAsync(Recorded.Plain("full"));
        await server.StopAsync();
        // The catalogue on another disk than the objects, which is the one that is missing.
        var catalogue = Path.Combine(server.Folder, "catalogue.db");
        File.Copy(Path.Combine(server.DataFolder, "metadata.db"), catalogue);
        var missing = Path.Combine(server.Folder, "missing");
        (string, string)[] settings = [("METADATA_FILE", catalogue), ("DATA_DIR", missing)];

        var started = await server.RunWithAsync(settings);
        var doctor = await DoctorReport.RunAsync(server, settings);
        var rebuilt = await server.RunWithAsync(settings, "catalogue", "rebuild");

        Assert.Equal(9, started.ExitCode);
        Assert.Contains("it has no zfs-server.json", started.Error, StringComparison.Ordinal);
        Assert.Contains("disk is mounted", started.Error, StringComparison.Ordinal);
        Assert.Contains("store", doctor.Failed);
        Assert.Equal(8, rebuilt.ExitCode);
        Assert.Contains("none of the 1 backups", rebuilt.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(missing, "objects")));
        await server.StartAgainAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["METADATA_FILE"] = catalogue }
        );
        await client.StoreAsync(Recorded.Plain("incremental-1"));
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }

    /// <summary>The catalogue lists nothing, and could not tell an empty disk from the missing one.</summary>
    [Fact]
    public async Task A_disk_that_was_in_use_is_missed_also_by_a_catalogue_that_lists_nothing()
    {
        await using var server = await ServerProcess.StartAsync();
        await server.StopAsync();
        var objects = Path.Combine(server.DataFolder, "objects");
        Directory.Move(objects, Path.Combine(server.Folder, "disk"));

        var started = await server.RunAsync();

        Assert.Equal(9, started.ExitCode);
        Assert.Contains("which the store of this catalogue has", started.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(objects));
        Directory.Move(Path.Combine(server.Folder, "disk"), objects);
        await server.StartAgainAsync();
    }

    [Fact]
    public async Task After_a_rebuild_that_lists_nothing_the_server_starts()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var key = (await client.StoreAsync(Recorded.Plain("full"))).Json.GetProperty("storage_key").GetString()!;
        await server.StopAsync();
        var manifest = Path.Combine(server.DataFolder, "objects", $"{key}.manifest.json");
        await File.WriteAllTextAsync(manifest, "damaged", Token);
        Assert.Equal(7, (await server.RunAsync("catalogue", "rebuild")).ExitCode);

        await server.StartAgainAsync();

        await client.StoreAsync(Recorded.Plain("full"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("no JSON")]
    public async Task A_damaged_mark_is_named_with_the_way_out(string content)
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        await client.StoreAsync(Recorded.Plain("full"));
        await server.StopAsync();
        var mark = Path.Combine(server.DataFolder, "objects", "zfs-server.json");
        await File.WriteAllTextAsync(mark, content, Token);

        var started = await server.RunAsync();

        Assert.Equal(7, started.ExitCode);
        Assert.Contains("zfs-server.json", started.Error, StringComparison.Ordinal);
        Assert.Contains("Delete it", started.Error, StringComparison.Ordinal);
        File.Delete(mark);
        (await server.RunAsync("catalogue", "rebuild")).MustSucceed();
        await server.StartAgainAsync();
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }

    [Fact]
    public async Task A_store_that_is_exchanged_while_the_server_runs_is_noticed()
    {
        await using var server = await ServerProcess.StartAsync();
        var mark = Path.Combine(server.DataFolder, "objects", "zfs-server.json");

        File.Move(mark, Path.Combine(server.Folder, "mark"));

        await Patience.UntilAsync("the fault is noticed", async () =>
            (await Answer.ReadAsync(await server.Http.GetAsync("ready", Token))).Status
            == HttpStatusCode.ServiceUnavailable
        );
    }

    [Fact]
    public async Task A_catalogue_that_was_lost_is_not_begun_anew_beside_backups()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        await client.StoreAsync(Recorded.Plain("full"));
        await server.StopAsync();
        var before = server.StoredFiles();
        File.Delete(Path.Combine(server.DataFolder, "metadata.db"));

        var started = await server.RunAsync();

        Assert.Equal(9, started.ExitCode);
        Assert.Contains("catalogue rebuild", started.Error, StringComparison.Ordinal);
        Assert.Equal(before, server.StoredFiles());
        (await server.RunAsync("catalogue", "rebuild")).MustSucceed();
        await server.StartAgainAsync();
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }

    [Fact]
    public async Task Another_server_s_directory_is_refused()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var other = await ServerProcess.StartAsync();
        await server.StopAsync();
        await other.StopAsync();

        var started = await server.RunWithAsync([("METADATA_FILE", Path.Combine(other.DataFolder, "metadata.db"))]);

        Assert.Equal(9, started.ExitCode);
        Assert.Contains("belongs to another catalogue", started.Error, StringComparison.Ordinal);
    }

    /// <summary>The outer server would list the inner one's files as its own.</summary>
    [Theory]
    [InlineData("objects")]
    [InlineData("incoming")]
    public async Task A_directory_within_another_server_s_store_is_refused(string place)
    {
        await using var server = await ServerProcess.StartAsync();
        var inner = Path.Combine(server.DataFolder, place, "inner");

        var started = await server.RunWithAsync([("DATA_DIR", inner), ("PORT", "0")]);

        Assert.Equal(9, started.ExitCode);
        Assert.Contains("must not lie within each other", started.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(inner, "objects")));
    }

    [Fact]
    public async Task A_directory_around_another_server_s_store_is_refused()
    {
        await using var inner = await ServerProcess.StartAsync();
        var outer = Path.Combine(inner.Folder, "outer");
        await inner.StopAsync();
        Directory.CreateDirectory(Path.Combine(outer, "objects"));
        Directory.Move(inner.DataFolder, Path.Combine(outer, "objects", "inner"));

        var started = await inner.RunWithAsync([("DATA_DIR", outer)]);

        Assert.Equal(9, started.ExitCode);
        Assert.Contains("contains another server's", started.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_servers_cannot_share_a_catalogue()
    {
        await using var server = await ServerProcess.StartAsync();

        var second = await server.RunWithAsync([
            ("DATA_DIR", Path.Combine(server.Folder, "second")),
            ("METADATA_FILE", Path.Combine(server.DataFolder, "metadata.db")),
            ("PORT", "0"),
        ]);

        Assert.Equal(9, second.ExitCode);
        Assert.Contains("Another zfs-server is running on", second.Error, StringComparison.Ordinal);
        Assert.Contains("METADATA_FILE", second.Error, StringComparison.Ordinal);
    }

    /// <summary>Directories of earlier versions have no mark.</summary>
    /// <param name="complete">Whether all that the catalogue lists is there.</param>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_directory_of_an_earlier_version_is_marked_if_it_has_what_the_catalogue_lists(bool complete)
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var key = (await client.StoreAsync(Recorded.Plain("full"))).Json.GetProperty("storage_key").GetString()!;
        await server.StopAsync();
        var objects = Path.Combine(server.DataFolder, "objects");
        var mark = Path.Combine(objects, "zfs-server.json");
        File.Delete(mark);
        await ForgetClaimAsync(Path.Combine(server.DataFolder, "metadata.db"));

        if (complete)
        {
            await server.StartAgainAsync();
            Assert.True(File.Exists(mark));
            return;
        }

        File.Move(Path.Combine(objects, $"{key}.manifest.json"), Path.Combine(server.Folder, "moved"));
        var started = await server.RunAsync();
        Assert.Equal(9, started.ExitCode);
        Assert.Contains(key, started.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(mark));
    }

    /// <summary>It lacks what was stored since, and lists what was deleted since.</summary>
    [Fact]
    public async Task A_catalogue_that_is_older_than_its_store_is_refused_until_it_is_rebuilt()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        await client.StoreAsync(Recorded.Plain("full"));
        await server.StopAsync();
        var catalogue = Path.Combine(server.DataFolder, "metadata.db");
        var copy = Path.Combine(server.Folder, "copy.db");
        foreach (var part in (string[])["", "-wal", "-shm"])
        {
            if (File.Exists(catalogue + part))
                File.Copy(catalogue + part, copy + part);
        }

        await server.StartAgainAsync();
        await client.StoreAsync(Recorded.Plain("incremental-1"));
        await server.StopAsync();
        foreach (var part in (string[])["", "-wal", "-shm"])
        {
            File.Delete(catalogue + part);
            if (File.Exists(copy + part))
                File.Move(copy + part, catalogue + part);
        }

        var started = await server.RunAsync();
        var doctor = await DoctorReport.RunAsync(server);

        Assert.Equal(9, started.ExitCode);
        Assert.Contains("is older than", started.Error, StringComparison.Ordinal);
        Assert.Contains("catalogue rebuild", started.Error, StringComparison.Ordinal);
        Assert.Contains("store", doctor.Failed);
        (await server.RunAsync("catalogue", "rebuild")).MustSucceed();
        await server.StartAgainAsync();
        Assert.Equal(2, (await client.GetAsync("snapshots")).Json.GetProperty("snapshots").GetArrayLength());
    }

    private static async Task ForgetClaimAsync(string catalogue)
    {
        await using var connection = new SqliteConnection($"Data Source={catalogue};Pooling=false");
        await connection.OpenAsync(Token);
        await using var command = connection.CreateCommand();
        command.CommandText = "DELETE FROM properties WHERE name = 'store_claimed'";
        Assert.Equal(1, await command.ExecuteNonQueryAsync(Token));
    }
}
