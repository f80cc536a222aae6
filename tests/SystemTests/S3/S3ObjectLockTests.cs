using System.Text.Json;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.SystemTests.Parts;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary>What the server says of a retention is what S3 says, and a retention stops no upload.</summary>
[Collection("s3")]
public sealed class S3ObjectLockTests(Radosgw s3)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    /// <summary>
    /// An object that is complete and locked, and whose commit is finished later: as after an upload of days, its own
    /// retention counts from an earlier moment than the one that is noted.
    /// </summary>
    [Fact]
    public async Task A_retention_that_ends_before_the_noted_time_is_extended_and_the_noted_time_is_S3_s()
    {
        await using var lab = await StartAsync(days: 1);
        var cut = CutParts.Cut(PartServer.Noise(280), 5 * 1024 * 1024, new Random(1));
        var upload = await lab.Client.AnnounceAsync(
            new JsonObject
            {
                ["dataset_name"] = "tank/data",
                ["snapshot_guid"] = $"{PartServer.Guid}",
                ["incremental"] = false,
                ["compression"] = "gzip",
            }
        );
        foreach (var part in cut.Parts)
            (await lab.Client.SendPartAsync(upload, part)).MustSucceed();
        await KillBeforeManifestAsync(lab, () => lab.Client.CompleteAsync(upload, cut));
        await lab.Server.StartAgainAsync(Days(30));

        (await lab.Client.CompleteAsync(upload, cut)).MustSucceed();

        var backup = Assert.Single(await lab.ListAsync());
        var noted = backup.GetProperty("locked_until").GetDateTimeOffset();
        Assert.InRange(noted, Now + TimeSpan.FromDays(29.9), Now + TimeSpan.FromDays(30.1));
        var key = backup.GetProperty("storage_key").GetString()!;
        Assert.True(await LockedUntilAsync(lab, key) >= noted, "the object is locked for as long as noted");
        Assert.True(await LockedUntilAsync(lab, key + ".manifest.json") >= noted, "and so is its manifest");
        Assert.Equal(noted, (await ManifestAsync(lab, key)).GetProperty("locked_until").GetDateTimeOffset());
    }

    /// <summary>As that of very many parts is; Ceph 16 loses the retention that it is begun with.</summary>
    [Fact]
    public async Task A_manifest_that_is_stored_in_parts_is_locked_too()
    {
        await using var open = await OpenBucket.OpenAsync(s3, Days(30), await s3.NewBucketAsync(objectLock: true));
        const string key = "client1/tank_data.zfs.manifest.json";
        await using (var manifest = new GrowingObject(open.Store, key, "upload-1", ObjectKind.Manifest))
        {
            await manifest.WriteAsync(new byte[open.Store.PartSize + 1], Token);
            await manifest.CompleteAsync(Token);
        }

        Assert.InRange(
            (await open.Store.FindAsync(key, Token))!.LockedUntil!.Value,
            Now + TimeSpan.FromDays(29.9),
            Now + TimeSpan.FromDays(30.1)
        );
    }

    [Fact]
    public async Task A_locked_rest_of_an_interrupted_commit_does_not_keep_its_snapshot_from_being_stored()
    {
        await using var lab = await StartAsync(days: 1);
        var upload = await lab.AnnounceAsync("tank/data");
        await KillBeforeManifestAsync(lab, () => lab.SendAsync(upload));
        var rest = Assert.Single(await s3.ListAsync(lab.Bucket), found =>
            found.Key.StartsWith("client1/", StringComparison.Ordinal)
        );
        await lab.Server.StartAgainAsync();
        await lab.Server.MustLogAsync("is deleted when its retention ends");

        var stored = (await lab.SendAsync(upload)).MustSucceed();

        var backup = Assert.Single(await lab.ListAsync());
        Assert.Equal(backup.GetProperty("storage_key").GetString(), stored.Json.GetProperty("storage_key").GetString());
        Assert.EndsWith("~2", backup.GetProperty("snapshot_id").GetString(), StringComparison.Ordinal);
        Assert.Contains(rest, await s3.ListAsync(lab.Bucket)); // S3 deletes it for nobody
        await Patience.UntilAsync("its deletion is postponed, which is no failure", async () =>
        {
            var shown = await lab.Server.RunAsync("jobs", "show", "delete/client1", "--json");
            var job = CommandJson.Result(shown.MustSucceed().Output);
            return job.TryGetProperty("error", out var reason)
                && reason.GetString()!.Contains("is locked until", StringComparison.Ordinal)
                && job.GetProperty("attempts").GetInt32() == 0;
        });
        await lab.AssertVerifiesAsync();
        (await lab.Server.RunAsync("catalogue", "check")).MustSucceed();
    }

    [Fact]
    public async Task An_upload_that_left_a_locked_rest_can_be_dropped()
    {
        await using var lab = await StartAsync(days: 1);
        var upload = await lab.AnnounceAsync("tank/data");
        await KillBeforeManifestAsync(lab, () => lab.SendAsync(upload));
        await lab.Server.StartAgainAsync();

        (await lab.Client.DeleteAsync($"upload-stream/{upload}")).MustSucceed();

        Assert.Empty((await lab.Client.GetAsync("uploads")).MustSucceed().Json.GetProperty("uploads").EnumerateArray());
        (await lab.UploadAsync("tank/data", 1)).MustSucceed();
    }

    private async Task<S3Lab> StartAsync(int days) =>
        await S3Lab.StartAsync(s3, Days(days), bucket: await s3.NewBucketAsync(objectLock: true));

    private static Dictionary<string, string> Days(int days) =>
        new(StringComparer.Ordinal) { ["S3_OBJECT_LOCK_DAYS"] = $"{days}" };

    /// <summary>Kills the server when the object is complete and its manifest is on its way.</summary>
    private static async Task KillBeforeManifestAsync(S3Lab lab, Func<Task> send)
    {
        var manifest = lab.Proxy.Add(
            Fault.Hang,
            request => request is { Kind: S3Kind.PutObject, IsManifest: true, Query: not "retention" },
            times: 1000
        );
        var sending = send();
        await Patience.UntilAsync("the manifest is on its way", () => manifest.Hits > 0);
        await lab.Server.KillAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => sending);
        lab.Proxy.Forget();
    }

    private async Task<DateTimeOffset> LockedUntilAsync(S3Lab lab, string key) =>
        new(
            (
                await s3.Client.GetObjectMetadataAsync(lab.Bucket, key, Token)
            ).ObjectLockRetainUntilDate!.Value.ToUniversalTime()
        );

    private async Task<JsonElement> ManifestAsync(S3Lab lab, string key)
    {
        using var found = await s3.Client.GetObjectAsync(lab.Bucket, key + ".manifest.json", Token);
        using var document = await JsonDocument.ParseAsync(found.ResponseStream, cancellationToken: Token);
        return document.RootElement.Clone();
    }
}
