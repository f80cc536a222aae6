using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Amazon.S3.Model;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary>
/// A server that stores in S3: how it starts or refuses to, what it sends, and what it costs in requests.
/// </summary>
[Collection("s3")]
public sealed class S3ServerTests(Radosgw s3, Swift swift)
{
    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_wrong_setting_is_named_and_no_secret_is_printed()
    {
        var bucket = await s3.NewBucketAsync();
        var caOfNobody = Path.Combine(Repository.NewFolder("ca"), "ca.pem");
        await File.WriteAllTextAsync(caOfNobody, "nothing\n", Token);
        (string What, int ExitCode, string[] Says, (string Key, string Value)[] Settings)[] cases =
        [
            ("wrong secret", 3, ["S3_SECRET_KEY"], [("S3_SECRET_KEY", "wrong-secret-0123456789")]),
            ("unknown key", 3, ["S3_ACCESS_KEY"], [("S3_ACCESS_KEY", "NOBODY")]),
            ("missing bucket", 3, ["S3_BUCKET", "no-such-bucket"], [("S3_BUCKET", "no-such-bucket")]),
            (
                "somebody else's bucket",
                3,
                ["S3_ACCESS_KEY", bucket],
                [("S3_ACCESS_KEY", s3["S3_OTHER_ACCESS_KEY"]), ("S3_SECRET_KEY", s3["S3_OTHER_SECRET_KEY"])]
            ),
            (
                "untrusted certificate",
                3,
                ["S3_CA_FILE"],
                [("S3_ENDPOINT", s3["S3_TLS_ENDPOINT"]), ("S3_USE_SSL", "true")]
            ),
            (
                "authorities that are none",
                3,
                ["S3_CA_FILE", caOfNobody],
                [("S3_ENDPOINT", s3["S3_TLS_ENDPOINT"]), ("S3_USE_SSL", "true"), ("S3_CA_FILE", caOfNobody)]
            ),
            ("nothing listens", 4, ["127.0.0.1:1"], [("S3_ENDPOINT", "127.0.0.1:1"), ("S3_RETRY_TIME", "1")]),
            ("TLS to where there is none", 3, ["S3_USE_SSL"], [("S3_USE_SSL", "true"), ("S3_RETRY_TIME", "1")]),
            (
                "no TLS to where there is",
                4,
                ["S3_USE_SSL"],
                [("S3_ENDPOINT", s3["S3_TLS_ENDPOINT"]), ("S3_RETRY_TIME", "1")]
            ),
            ("no object lock", 3, ["S3_OBJECT_LOCK_DAYS"], [("S3_OBJECT_LOCK_DAYS", "1")]),
            ("no encryption by the provider", 3, ["S3_SSE"], [("S3_SSE", "AES256")]),
            ("contradiction", 3, ["S3_USE_SSL=false", "https"], [("S3_ENDPOINT", "https://" + s3.Endpoint)]),
            (
                "nothing set",
                3,
                ["S3_ENDPOINT", "S3_SECRET_KEY", "S3_BUCKET"],
                [("S3_ENDPOINT", ""), ("S3_SECRET_KEY", ""), ("S3_BUCKET", "")]
            ),
            (
                "no credentials anywhere",
                3,
                ["S3_ACCESS_KEY", "AWS_ACCESS_KEY_ID"],
                [("S3_ACCESS_KEY", ""), ("S3_SECRET_KEY", ""), ("AWS_EC2_METADATA_DISABLED", "true")]
            ),
            (
                "token without keys",
                3,
                ["S3_ACCESS_KEY", "S3_SECRET_KEY"],
                [("S3_ACCESS_KEY", ""), ("S3_SECRET_KEY", ""), ("S3_SESSION_TOKEN", "token-0123456789")]
            ),
            ("a temporary key without its token", 3, ["S3_SESSION_TOKEN"], [("S3_ACCESS_KEY", "ASIA0123456789")]),
        ];
        List<string> faults = [];
        foreach (var (what, exitCode, says, changed) in cases)
        {
            var settings = s3.Settings(bucket);
            foreach (var (key, value) in changed)
                settings[key] = value;
            var ended = await RunServerAsync(settings);
            if (ended.ExitCode != exitCode || says.Any(word => !ended.Error.Contains(word, StringComparison.Ordinal)))
                faults.Add(
                    $"{what}: exit code {ended.ExitCode}, not {exitCode}; must say {string.Join(", ", says)}: "
                        + $"{ended.Text}"
                );
            foreach (
                var secret in (string[])[s3["S3_SECRET_KEY"], s3["S3_OTHER_SECRET_KEY"], "wrong-secret-0123456789"]
            )
            {
                if (ended.Text.Contains(secret, StringComparison.Ordinal))
                    faults.Add($"{what}: shows a secret: {ended.Text}");
            }
        }

        Directory.Delete(Path.GetDirectoryName(caOfNobody)!, recursive: true);
        Assert.True(faults.Count == 0, string.Join('\n', faults));
        Assert.Empty(await s3.ListAsync(bucket));
    }

    [Fact]
    public async Task Doctor_tries_the_bucket_and_distinguishes_a_wrong_key_an_unreachable_store_and_a_foreign_one()
    {
        await using var lab = await S3Lab.StartAsync(s3);
        var good = await DoctorReport.RunAsync(lab.Server);
        Assert.True(good.ExitCode == 0, good.Text);
        foreach (var name in (string[])["settings", "data", "catalogue", "server", "store", "clock"])
            Assert.Contains("ok", good.StatusesOf(name));
        await lab.AssertHoldsWhatIsListedAsync(0);

        var wrong = await DoctorReport.RunAsync(lab.Server, ("S3_SECRET_KEY", "wrong-secret-0123456789"));
        var away = await DoctorReport.RunAsync(lab.Server, ("S3_ENDPOINT", "127.0.0.1:1"));
        var anothers = await DoctorReport.RunAsync(
            lab.Server,
            ("DATA_DIR", Path.Combine(lab.Server.Folder, "new")),
            ("PORT", "0")
        );

        Assert.Equal((3, 4, 9), (wrong.ExitCode, away.ExitCode, anothers.ExitCode));
        Assert.Equal(["store"], wrong.Failed);
        Assert.Contains("S3_SECRET_KEY", wrong.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("wrong-secret", wrong.Text, StringComparison.Ordinal);
        Assert.Contains("127.0.0.1:1", away.Text, StringComparison.Ordinal);
        Assert.Contains("belongs to another catalogue", anothers.Text, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(lab.Server.Folder, "new")));
    }

    [Fact]
    public async Task Over_TLS_with_a_private_authority_backups_are_stored_and_returned()
    {
        var settings = s3.Settings(await s3.NewBucketAsync(), s3["S3_TLS_ENDPOINT"]);
        (settings["S3_USE_SSL"], settings["S3_CA_FILE"], settings["S3_PART_SIZE_MIB"]) = (
            "true",
            s3["S3_CA_FILE"],
            "5"
        );
        await using var server = await ServerProcess.StartAsync(settings);
        using var client = await Uploader.CreateAsync(server);

        var upload = await client.AnnounceAsync(new() { ["dataset_name"] = "tank/data", ["compression"] = "none" });
        (await client.SendAsync(upload, new GeneratedStream(S3Lab.ThreeParts, guid: 7, compress: false))).MustSucceed();

        (await client.RestoreAsync("verify", "all")).MustSucceed();
        Assert.DoesNotContain(s3["S3_SECRET_KEY"], server.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_prefix_keeps_two_servers_apart_in_one_bucket()
    {
        var bucket = await s3.NewBucketAsync();
        await using var first = await S3Lab.StartAsync(s3, Prefix("one"), bucket: bucket);
        await using var second = await S3Lab.StartAsync(s3, Prefix("one-more"), bucket: bucket);
        first.Proxy.BytesPerSecond = 5_000_000;
        var sending = first.UploadAsync("tank/data");
        await Patience.UntilAsync("a part is on its way", () => first.Proxy.Count(S3Kind.UploadPart) > 0);

        (await second.UploadAsync("tank/data")).MustSucceed();
        await second.Server.KillAsync();
        await second.Server.StartAgainAsync(); // which removes its own unfinished objects and no others

        (await sending).MustSucceed();
        first.Proxy.BytesPerSecond = 0;
        await first.AssertVerifiesAsync();
        await second.AssertVerifiesAsync();
        var keys = (await s3.ListAsync(bucket)).Select(found => found.Key).ToList();
        Assert.Equal(3, keys.Count(key => key.StartsWith("one/", StringComparison.Ordinal)));
        Assert.Equal(3, keys.Count(key => key.StartsWith("one-more/", StringComparison.Ordinal)));
        Assert.Equal(6, keys.Count);
    }

    [Fact]
    public async Task A_second_catalogue_on_the_same_bucket_and_prefix_is_refused()
    {
        await using var lab = await S3Lab.StartAsync(s3);
        (await lab.UploadAsync("tank/data")).MustSucceed();

        var second = await RunServerAsync(s3.Settings(lab.Bucket));

        Assert.Equal(9, second.ExitCode);
        Assert.Contains("belongs to another catalogue", second.Error, StringComparison.Ordinal);
        Assert.Contains("S3_PREFIX", second.Error, StringComparison.Ordinal);
        await s3.Client.DeleteObjectAsync(lab.Bucket, "zfs-server.json", Token);
        var third = await RunServerAsync(s3.Settings(lab.Bucket));
        Assert.Equal(9, third.ExitCode);
        Assert.Contains("zfs-server catalogue rebuild", third.Error, StringComparison.Ordinal);
        await lab.AssertVerifiesAsync();
    }

    /// <summary>As Backblaze B2 does with an application key without listBuckets.</summary>
    [Fact]
    public async Task A_key_that_is_told_403_for_what_does_not_exist_is_named_with_the_missing_right()
    {
        await using var lab = await S3Lab.StartAsync(s3);
        lab.Proxy.Add(
            Fault.Forbidden,
            request => request.Kind == S3Kind.HeadObject && request.Path.EndsWith(".missing", StringComparison.Ordinal),
            times: 10
        );

        var probed = await lab.Server.RunAsync("storage", "probe");

        Assert.Equal(3, probed.ExitCode);
        Assert.Contains("listBuckets", probed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_object_lock_no_backup_can_be_deleted_before_its_time()
    {
        var bucket = await s3.NewBucketAsync(objectLock: true);
        Dictionary<string, string> days = new(StringComparer.Ordinal) { ["S3_OBJECT_LOCK_DAYS"] = "1" };
        await using var lab = await S3Lab.StartAsync(s3, days, bucket: bucket);
        (await lab.UploadAsync("tank/small", 1)).MustSucceed();
        (await lab.UploadAsync("tank/large")).MustSucceed();
        await lab.AssertVerifiesAsync();
        var creations = lab
            .Proxy.Requests.Where(request =>
                request is { Kind: S3Kind.CreateMultipart or S3Kind.PutObject, Query: not "retention" }
                && request.Path.Contains("/client1/", StringComparison.Ordinal)
            )
            .ToList();
        Assert.Equal(4, creations.Count);
        Assert.All(creations, request => Assert.Equal("GOVERNANCE", request["x-amz-object-lock-mode"]));

        foreach (var backup in await lab.ListAsync())
        {
            AssertInADay(backup.GetProperty("locked_until").GetDateTimeOffset());
            var key = backup.GetProperty("storage_key").GetString()!;
            foreach (var name in (string[])[key, key + ".manifest.json"])
            {
                var found = await s3.Client.GetObjectMetadataAsync(bucket, name, Token);
                Assert.True(
                    found.ObjectLockMode?.Value == "GOVERNANCE" && found.ObjectLockRetainUntilDate is not null,
                    $"{name} is not locked"
                );
                AssertInADay(new DateTimeOffset(found.ObjectLockRetainUntilDate.Value.ToUniversalTime()));
            }

            await using var store = await OpenBucket.OpenAsync(
                s3,
                new Dictionary<string, string>(days, StringComparer.Ordinal) { ["S3_PREFIX"] = "" },
                bucket
            );
            var e = await Assert.ThrowsAsync<StorageException>(() => store.Store.DeleteAsync(key, Token));
            Assert.Equal(StorageFault.Locked, e.Fault);
            AssertInADay((await store.Store.FindAsync(key, Token))!.LockedUntil!.Value);
            Assert.Contains("locked until", e.Message, StringComparison.Ordinal);
        }

        await lab.AssertHoldsWhatIsListedAsync(2);
    }

    /// <summary>
    /// In a bucket that keeps versions, a delete keeps the bytes; each start would cost a little, permanently.
    /// </summary>
    [Fact]
    public async Task The_probe_at_start_leaves_no_versions_behind()
    {
        var bucket = await s3.NewBucketAsync(objectLock: true);
        await using var lab = await S3Lab.StartAsync(
            s3,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["S3_OBJECT_LOCK_DAYS"] = "1" },
            bucket: bucket
        );

        var versions = (await s3.Client.ListVersionsAsync(bucket, ".zfs-server-probe/", Token)).Versions ?? [];

        Assert.Empty(versions.Select(version => (version.Key, IsDeleteMarker: version.IsDeleteMarker == true)));
    }

    [Fact]
    public async Task Streams_get_the_storage_class_that_is_set_and_manifests_keep_the_standard_one()
    {
        await s3.AdminAsync(
            "zonegroup",
            "placement",
            "add",
            "--rgw-zonegroup",
            "default",
            "--placement-id",
            "default-placement",
            "--storage-class",
            "COLD"
        );
        await s3.AdminAsync(
            "zone",
            "placement",
            "add",
            "--rgw-zone",
            "default",
            "--placement-id",
            "default-placement",
            "--storage-class",
            "COLD",
            "--data-pool",
            "default.rgw.buckets.data"
        );
        await using var gateway = await Gateway.StartAsync(s3); // a gateway reads the storage classes when it starts
        await using var lab = await S3Lab.StartAsync(
            s3,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["S3_STORAGE_CLASS"] = "COLD" },
            gateway.Endpoint
        );
        (await lab.UploadAsync("tank/small", 1)).MustSucceed();
        (await lab.UploadAsync("tank/large")).MustSucceed();

        foreach (var backup in await lab.ListAsync())
        {
            var key = backup.GetProperty("storage_key").GetString()!;
            Assert.Equal("COLD", (await s3.Client.GetObjectMetadataAsync(lab.Bucket, key, Token)).StorageClass?.Value);
            Assert.Null(
                (await s3.Client.GetObjectMetadataAsync(lab.Bucket, key + ".manifest.json", Token)).StorageClass?.Value
            );
        }

        await lab.AssertVerifiesAsync();
    }

    /// <summary>
    /// The radosgw of these tests accepts the encryption header and ignores it: only the requests show it.
    /// </summary>
    [Theory]
    [InlineData("AES256", "AES256", null)]
    [InlineData("aws:kms", "aws:kms", null)]
    [InlineData("aws:kms:some-key", "aws:kms", "some-key")]
    public async Task Encryption_is_requested_with_every_object(string setting, string method, string? key)
    {
        await using var proxy = new FaultProxy(s3.Endpoint);
        var settings = s3.Settings(await s3.NewBucketAsync(), proxy.Endpoint);
        settings["S3_SSE"] = setting;
        await using var open = OpenBucket.OpenUnprobed(settings);

        try
        {
            await open.Store.PutNewAsync("small", new byte[10], "upload-1", ObjectKind.Stream, Token);
            await using var writer = await ObjectParts.BeginAsync(open.Store, "large", "upload-2");
        }
        catch (StorageException)
        {
            // It has no key of that name, which does not matter here.
        }

        var creations = proxy
            .Requests.Where(request => request.Kind is S3Kind.CreateMultipart or S3Kind.PutObject)
            .ToList();
        Assert.NotEmpty(creations);
        Assert.All(creations, request =>
            Assert.Equal(
                (method, key),
                (request["x-amz-server-side-encryption"], request["x-amz-server-side-encryption-aws-kms-key-id"])
            )
        );
    }

    [Fact]
    public async Task Uploads_and_downloads_cost_a_fixed_number_of_requests_and_lists_cost_none()
    {
        // Otherwise a request that takes a busy S3 server two seconds would be sent again and counted.
        await using var lab = await S3Lab.StartAsync(
            s3,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["S3_IDLE_TIMEOUT"] = "30" }
        );
        Print("start", lab);

        (await lab.UploadAsync("tank/small", 1)).MustSucceed();
        Print("upload of one part", lab);
        Assert.Equal("HeadObject=2 PutObject=2", Counts(lab));
        lab.Proxy.Forget();

        var large = (await lab.UploadAsync("tank/large")).MustSucceed();
        Print("upload of 3 parts", lab);
        Assert.Equal("HeadObject=4 PutObject=1 CreateMultipart=1 UploadPart=3 CompleteMultipart=1", Counts(lab));
        lab.Proxy.Forget();

        var backup = (await lab.ListAsync()).Single(listed =>
            listed.GetProperty("storage_key").GetString() == large.Json.GetProperty("storage_key").GetString()
        );
        (await lab.Client.GetAsync("status")).MustSucceed();
        (await Answer.ReadAsync(await lab.Server.Http.GetAsync("health", Token))).MustSucceed();
        Assert.Equal("", Counts(lab));

        await lab.DownloadAsync(backup);
        Print("download of 3 parts", lab);
        Assert.Equal("HeadObject=2 GetObject=4", Counts(lab));
        lab.Proxy.Forget();

        using var range = new HttpRequestMessage(
            HttpMethod.Get,
            $"download?snapshot_id={Uri.EscapeDataString(backup.GetProperty("snapshot_id").GetString()!)}"
        );
        // The last byte of one part and the first of the next.
        range.Headers.TryAddWithoutValidation("Range", "bytes=5242879-5242880");
        using var answer = await lab.Client.Http.SendAsync(range, Token);
        Assert.Equal(HttpStatusCode.PartialContent, answer.StatusCode);
        Assert.Equal(2, (await answer.Content.ReadAsByteArrayAsync(Token)).Length);
        Print("download of two bytes of a backup that was read before", lab);
        Assert.Equal("GetObject=2", Counts(lab));
        lab.Proxy.Forget();

        await lab.DownloadAsync(backup);
        Print("download of 3 parts that were read before", lab);
        Assert.Equal("HeadObject=1 GetObject=3", Counts(lab));
        lab.Proxy.Forget();

        Assert.Equal(0, await lab.Server.StopAsync());
        await lab.Server.StartAgainAsync();
        Print("start again", lab);
    }

    [Fact]
    public async Task A_cached_layout_never_hides_the_state_of_the_store()
    {
        await using var lab = await S3Lab.StartAsync(
            s3,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["S3_MAX_PARTS"] = "2" }
        );
        (await lab.UploadAsync("tank/data")).MustSucceed();
        var backup = Assert.Single(await lab.ListAsync());
        var (key, url) = (
            backup.GetProperty("storage_key").GetString()!,
            $"download?snapshot_id={Uri.EscapeDataString(backup.GetProperty("snapshot_id").GetString()!)}"
        );
        var content = await lab.DownloadAsync(backup);

        using var kept = new MemoryStream();
        using (var found = await s3.Client.GetObjectAsync(lab.Bucket, key + ".0002", Token))
            await found.ResponseStream.CopyToAsync(kept, Token);
        await s3.Client.DeleteObjectAsync(lab.Bucket, key + ".0002", Token);
        foreach (var from in (int[])[content.Length - 10, 0])
            Assert.Equal("object_missing", (await AskAsync(from)).Code);
        using (var body = new MemoryStream(kept.ToArray()))
            await s3.Client.PutObjectAsync(
                new PutObjectRequest
                {
                    BucketName = lab.Bucket,
                    Key = key + ".0002",
                    InputStream = body,
                    UseChunkEncoding = false,
                },
                Token
            );
        Assert.Equal(HttpStatusCode.PartialContent, (await AskAsync(content.Length - 10)).Status);

        await s3.Client.DeleteObjectAsync(lab.Bucket, key + ".manifest.json", Token);
        Assert.Equal(0, await lab.Server.StopAsync());
        await lab.Server.StartAgainAsync();
        Assert.Equal(content, await lab.DownloadAsync(backup)); // both objects, found by their names
        await lab.Server.MustLogAsync($"The manifest of {key} cannot be used");
        await lab.AssertVerifiesAsync();

        async Task<Answer> AskAsync(int from)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, url);
            request.Headers.TryAddWithoutValidation("Range", $"bytes={from}-");
            return await Answer.ReadAsync(await lab.Client.Http.SendAsync(request, Token));
        }
    }

    [Fact]
    public async Task A_weaker_provider_stores_and_returns_backups_too()
    {
        await using var lab = await S3Lab.StartAsync(swift);
        foreach (var blocks in (int[])[1, S3Lab.ThreeParts])
            (await lab.UploadAsync($"tank/b{blocks}", blocks)).MustSucceed();
        await lab.AssertHoldsWhatIsListedAsync(2);
        await lab.AssertVerifiesAsync();
        await lab.Server.MustLogAsync("The store lacks: conditional create");

        foreach (
            var (fault, kind) in ((Fault, S3Kind)[])
                [
                    (Fault.LoseAnswer, S3Kind.CompleteMultipart),
                    (Fault.LoseAnswer, S3Kind.PutObject),
                    (Fault.CorruptBody, S3Kind.UploadPart),
                    (Fault.CorruptBody, S3Kind.PutObject),
                ]
        )
        {
            var rule = lab.Proxy.Add(fault, kind);
            (await lab.UploadAsync($"tank/{fault}-{kind}")).MustSucceed();
            Assert.Equal(1, rule.Hits);
        }

        await lab.AssertHoldsWhatIsListedAsync(6);
        await lab.AssertVerifiesAsync();
    }

    private static Dictionary<string, string> Prefix(string name) =>
        new(StringComparer.Ordinal) { ["S3_PREFIX"] = name, ["S3_IDLE_TIMEOUT"] = "30" };

    private static void AssertInADay(DateTimeOffset time) =>
        Assert.InRange(time, Now + TimeSpan.FromHours(23.9), Now + TimeSpan.FromHours(25));

    /// <summary>The server looks at its mark by time, not by what it is asked.</summary>
    private static string Counts(S3Lab lab) => lab.Proxy.CountsWithout("zfs-server.json");

    private static void Print(string what, S3Lab lab)
    {
        TestContext.Current.TestOutputHelper!.WriteLine($"{what}: {Counts(lab)}");
        if (what.StartsWith("start", StringComparison.Ordinal))
            lab.Proxy.Forget();
    }

    /// <summary>Runs a server that is expected to end, in a separate directory.</summary>
    private static async Task<CommandResult> RunServerAsync(Dictionary<string, string> settings)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port; // in use: a server that gets as far as listening ends too
        var environment = new Dictionary<string, string>(settings, StringComparer.Ordinal)
        {
            ["BIND_ADDRESS"] = "127.0.0.1",
            ["PORT"] = port.ToString(CultureInfo.InvariantCulture),
        };
        var folder = Repository.NewFolder("refused");
        var ended = await Command.RunAsync(Repository.Program("zfs-server"), [], folder, environment);
        Directory.Delete(folder, recursive: true);
        return ended;
    }
}
