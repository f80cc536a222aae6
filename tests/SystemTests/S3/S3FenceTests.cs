using System.Net;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary>
/// Two servers with copies of one catalogue, on one bucket: a cloned machine, or a restored copy beside the old host.
/// </summary>
[Collection("s3")]
public sealed class S3FenceTests(Radosgw s3)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_two_servers_with_copies_of_one_catalogue_the_older_run_stores_and_deletes_nothing_more()
    {
        await using var lab = await S3Lab.StartAsync(
            s3,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["DELETE_DELAY_HOURS"] = "0" }
        );
        (await lab.UploadAsync("tank/data", 1)).MustSucceed();
        (await lab.UploadAsync("tank/data", 2)).MustSucceed(); // so that a rotation may delete the first
        await using var clone = await CloneAsync(lab);
        using var client = await Uploader.CreateAsync(clone, "client2");

        // It may still store for the few seconds for which its last look at the store is good.
        Answer? refused = null;
        await Patience.UntilAsync("the first server notices", async () =>
            (refused = await lab.UploadAsync("tank/late", 1)).Status != HttpStatusCode.OK
        );

        refused!.AssertRefused(HttpStatusCode.InternalServerError, "storage_refused", "Another zfs-server uses");
        var stored = await s3.ListAsync(lab.Bucket);
        using var nothing = new StringContent(
            """{"rotation_policy":{"keep_hourly":0,"keep_daily":0,"keep_weekly":0,"keep_monthly":0}}"""
        );
        (await lab.Client.Http.PostAsync("rotate", nothing, Token)).Dispose();
        Assert.Equal(stored, await s3.ListAsync(lab.Bucket));
        await client.StoreAsync(Recorded.Plain("full"));
        Assert.Equal(0, await lab.Server.StopAsync());
        var again = await lab.Server.RunAsync();
        Assert.Equal(9, again.ExitCode);
        Assert.Contains("is older than", again.Error, StringComparison.Ordinal);
        Assert.Contains("stop one of them", again.Error, StringComparison.Ordinal);
        Assert.Equal(0, await clone.StopAsync());
        (await lab.Server.RunAsync("catalogue", "rebuild")).MustSucceed();
        await lab.Server.StartAgainAsync();
        await lab.AssertVerifiesAsync();
    }

    /// <summary>With a copy of the running server's catalogue and its clients, on the same bucket.</summary>
    private static async Task<ServerProcess> CloneAsync(S3Lab lab)
    {
        var clone = await ServerProcess.StartAsync();
        Assert.Equal(0, await clone.StopAsync());
        var (from, to) = (Catalogue(lab.Server), Catalogue(clone));
        foreach (var part in (string[])["", "-wal", "-shm"])
            File.Delete(to + part);
        await using (var source = new SqliteConnection($"Data Source={from};Pooling=false"))
        await using (var copy = new SqliteConnection($"Data Source={to};Pooling=false"))
        {
            await source.OpenAsync(Token);
            await copy.OpenAsync(Token);
            source.BackupDatabase(copy);
        }

        var settings = lab.S3.Settings(lab.Bucket);
        settings["S3_PART_SIZE_MIB"] = "5";
        await clone.StartAgainAsync(settings);
        return clone;
    }

    private static string Catalogue(ServerProcess server) => Path.Combine(server.DataFolder, "metadata.db");
}
