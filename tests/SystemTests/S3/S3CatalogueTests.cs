using System.Text.Json;
using Amazon.S3.Model;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary><c>zfs-server catalogue rebuild</c> and <c>check</c> on a bucket.</summary>
[Collection("s3")]
public sealed class S3CatalogueTests(Radosgw s3)
{
    private static readonly Dictionary<string, string> Settings = new(StringComparer.Ordinal)
    {
        ["S3_MAX_PARTS"] = "2",
        ["S3_PREFIX"] = "some/place",
        ["S3_IDLE_TIMEOUT"] = "30",
    };

    private readonly Dictionary<string, byte[]> _originals = new(StringComparer.Ordinal); // of what was harmed

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_lost_catalogue_is_rebuilt_from_the_bucket_by_lists_and_manifests_alone()
    {
        await using var lab = await StartAsync(1, S3Lab.ThreeParts, S3Lab.ThreeParts);
        var before = (await lab.Client.GetAsync("snapshots")).MustSucceed().Text;
        Assert.Equal(
            2,
            (await s3.ListAsync(lab.Bucket)).Count(found => found.Key.EndsWith(".0002", StringComparison.Ordinal))
        );
        Assert.Equal(0, await lab.Server.StopAsync());
        File.Delete(CatalogueOf(lab));
        var checkedWithout = await lab.Server.RunAsync("catalogue", "check");
        Assert.Equal(8, checkedWithout.ExitCode);

        lab.Proxy.Forget();
        var dry = await RunAsync(lab, 0, "rebuild", "--dry-run");
        Assert.Equal(3, dry.GetProperty("listed").GetInt32());
        Assert.False(File.Exists(CatalogueOf(lab)));
        // The owner, and a manifest for each backup.
        Assert.Equal("ListObjects=1 HeadObject=1 GetObject=4", lab.Proxy.Counts);
        var rebuilt = await RunAsync(lab, 0, "rebuild");

        Assert.Equal(3, rebuilt.GetProperty("listed").GetInt32());
        Assert.Empty(Kinds(rebuilt));
        Assert.DoesNotContain(lab.Proxy.Requests, request =>
            request is { Kind: S3Kind.GetObject, IsManifest: false }
            && request.Path.Contains("/client1/", StringComparison.Ordinal)
        );
        await lab.Server.StartAgainAsync();
        Assert.Equal(before, (await lab.Client.GetAsync("snapshots")).MustSucceed().Text);
        await lab.AssertVerifiesAsync();
        Assert.Empty(Kinds(await RunAsync(lab, 0, "check", "--deep")));
        (await lab.UploadAsync("tank/more")).MustSucceed();
    }

    [Fact]
    public async Task Each_object_and_manifest_that_is_missing_or_damaged_is_named_and_the_others_are_listed()
    {
        await using var lab = await StartAsync([.. Enumerable.Repeat(S3Lab.ThreeParts, 10)]);
        var before = (await lab.Client.GetAsync("snapshots")).MustSucceed().Text;
        var keys = (await lab.ListAsync()).Select(backup => backup.GetProperty("storage_key").GetString()!).ToList();
        var harmed = await HarmAsync(lab, keys);

        // A flipped byte is found only by reading it.
        string[] byCheck =
        [
            "manifest_missing",
            "manifest_unreadable",
            "object_missing",
            "object_missing",
            "object_missing",
            "object_size",
            "orphan_object",
            "orphan_object",
        ];
        string[] byRebuild =
        [
            "manifest_unreadable",
            "object_missing",
            "object_missing",
            "object_missing",
            "object_size",
            "orphan_object",
            "orphan_object",
            "orphan_object",
        ];
        var found = await RunAsync(lab, 7, "check");
        Assert.Equal(byCheck, Kinds(found));
        Assert.Equal(
            [.. byCheck.Append("part_damaged").Order(StringComparer.Ordinal)],
            Kinds(await RunAsync(lab, 7, "check", "--deep"))
        );
        foreach (var (kind, key) in harmed)
            Assert.Contains(found.GetProperty("findings").EnumerateArray(), finding =>
                finding.GetProperty("kind").GetString() == kind && finding.GetProperty("key").GetString() == key
            );

        Assert.Equal(0, await lab.Server.StopAsync());
        Assert.Equal(byRebuild, Kinds(await RunAsync(lab, 7, "rebuild", "--dry-run")));
        var rebuilt = await RunAsync(lab, 7, "rebuild");
        Assert.Equal(byRebuild, Kinds(rebuilt));
        Assert.Equal(
            (4, 7, 6),
            (
                rebuilt.GetProperty("listed").GetInt32(),
                rebuilt.GetProperty("left_out").GetInt32(),
                rebuilt.GetProperty("no_longer_listed").GetArrayLength()
            )
        );
        await lab.Server.StartAgainAsync();
        Assert.Equal(4, (await lab.ListAsync()).Count);
        Assert.Equal(0, await lab.Server.StopAsync());

        foreach (var (key, content) in _originals)
            await PutAsync(lab, key, content);
        // Unknown objects are never deleted.
        Assert.Equal(["orphan_object", "orphan_object"], Kinds(await RunAsync(lab, 7, "rebuild")));
        await lab.Server.StartAgainAsync();
        Assert.Equal(before, (await lab.Client.GetAsync("snapshots")).MustSucceed().Text);
        await lab.AssertVerifiesAsync();
    }

    [Fact]
    public async Task A_new_catalogue_takes_over_the_bucket_only_by_a_rebuild()
    {
        await using var lab = await StartAsync(1);
        await lab.Server.KillAsync();
        // A separate data directory, without S3.
        await using var other = await ServerProcess.StartAsync(new Dictionary<string, string>(StringComparer.Ordinal));
        Assert.Equal(0, await other.StopAsync());
        var settings = s3.Settings(lab.Bucket, lab.Proxy.Endpoint);
        foreach (var (key, value) in Settings)
            settings[key] = value;

        await AssertRefusedAsync("belongs to another catalogue");
        Assert.Equal(1, (await RunOtherAsync("catalogue", "rebuild", "--json")).GetProperty("listed").GetInt32());
        await other.StartAgainAsync(settings);
        Assert.Equal(0, await other.StopAsync());

        await s3.Client.DeleteObjectAsync(lab.Bucket, "some/place/zfs-server.json", Token);
        await AssertRefusedAsync("it has no zfs-server.json");
        await RunOtherAsync("catalogue", "rebuild", "--json");
        await other.StartAgainAsync(settings);
        Assert.Equal(0, await other.StopAsync());

        await PutAsync(lab, "zfs-server.json", "{ \"format_version\": "u8.ToArray());
        await AssertRefusedAsync("zfs-server.json in");

        async Task AssertRefusedAsync(string words)
        {
            var e = await Assert.ThrowsAsync<InvalidOperationException>(() => other.StartAgainAsync(settings));
            Assert.Contains(words, e.Message, StringComparison.Ordinal);
            Assert.Contains("catalogue rebuild", e.Message, StringComparison.Ordinal);
        }

        async Task<JsonElement> RunOtherAsync(params string[] arguments) =>
            CommandJson.Result(
                (await Command.RunAsync(Repository.Program("zfs-server"), arguments, other.Folder, settings))
                    .MustSucceed()
                    .Output
            );
    }

    /// <summary>S3_ENABLED was set, or lost, from one start to the next.</summary>
    [Fact]
    public async Task The_catalogue_of_another_store_does_not_take_an_empty_one()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        await client.StoreAsync(Recorded.Plain("full"));
        Assert.Equal(0, await server.StopAsync());
        var bucket = await s3.NewBucketAsync();

        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => server.StartAgainAsync(s3.Settings(bucket)));

        Assert.Contains("ended with exit code 9", e.Message, StringComparison.Ordinal);
        Assert.Contains("it has no zfs-server.json", e.Message, StringComparison.Ordinal);
        Assert.Empty(await s3.ListAsync(bucket));
        await server.StartAgainAsync();
        await client.StoreAsync(Recorded.Plain("incremental-1"));
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }

    [Fact]
    public async Task An_unreachable_or_deleted_bucket_ends_both_commands_and_changes_nothing()
    {
        await using var lab = await StartAsync(
            new Dictionary<string, string>(Settings, StringComparer.Ordinal) { ["S3_RETRY_TIME"] = "1" },
            1,
            1
        );
        var before = (await lab.Client.GetAsync("snapshots")).MustSucceed().Text;
        Assert.Equal(0, await lab.Server.StopAsync());
        string[][] commands =
        [
            ["check"],
            ["check", "--deep"],
            ["rebuild"],
            ["rebuild", "--dry-run"],
        ];

        lab.Proxy.GoAway();
        foreach (var command in commands)
            await AssertEndsAsync(command, 4, "is temporarily unavailable");
        lab.Proxy.ComeBack();

        // Away in the middle.
        lab.Proxy.Add(Fault.SlowDown, request => request is { Kind: S3Kind.GetObject, IsManifest: true }, times: 1000);
        foreach (var command in commands[2..])
            await AssertEndsAsync(command, 4, "is temporarily unavailable");
        lab.Proxy.Forget();
        await lab.Server.StartAgainAsync();
        Assert.Equal(before, (await lab.Client.GetAsync("snapshots")).MustSucceed().Text);
        Assert.Equal(0, await lab.Server.StopAsync());

        foreach (var (key, _) in await s3.ListAsync(lab.Bucket))
            await s3.Client.DeleteObjectAsync(lab.Bucket, key, Token);
        await s3.Client.DeleteBucketAsync(lab.Bucket, Token);
        foreach (var command in commands)
            await AssertEndsAsync(command, 3, "S3_BUCKET");

        async Task AssertEndsAsync(string[] command, int exitCode, string words)
        {
            var ended = await lab.Server.RunAsync(["catalogue", .. command]);
            Assert.True(
                ended.ExitCode == exitCode && ended.Error.Contains(words, StringComparison.Ordinal),
                $"{string.Join(' ', command)}: {ended.ExitCode} {ended.Text}"
            );
        }
    }

    [Fact]
    public async Task An_open_or_interrupted_upload_is_at_most_a_note()
    {
        await using var lab = await StartAsync(1);
        lab.Proxy.BytesPerSecond = 5_000_000;
        var sending = lab.UploadAsync("tank/sent", 200);
        await Patience.UntilAsync("two parts are on their way", () => lab.Proxy.Count(S3Kind.UploadPart) >= 2);
        Assert.Empty(Kinds(await RunAsync(lab, 0, "check"))); // parts are no object yet
        lab.Proxy.BytesPerSecond = 0;
        (await sending).MustSucceed();

        var manifest = lab.Proxy.Add(
            Fault.Hang,
            request => request is { Kind: S3Kind.PutObject, IsManifest: true },
            times: 1000
        );
        var cut = lab.UploadAsync("tank/cut");
        await Patience.UntilAsync("the manifest is on its way", () => manifest.Hits > 0);
        await lab.Server.KillAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => cut);
        lab.Proxy.Forget();

        Assert.Equal(["upload_under_way"], Notes(await RunAsync(lab, 0, "check")));
        var rebuilt = await RunAsync(lab, 0, "rebuild");
        Assert.Equal(["upload_under_way"], Notes(rebuilt));
        Assert.Equal(2, rebuilt.GetProperty("listed").GetInt32());
        await lab.Server.StartAgainAsync();
        await lab.AssertVerifiesAsync();
    }

    private Task<S3Lab> StartAsync(params int[] blocks) => StartAsync(Settings, blocks);

    private async Task<S3Lab> StartAsync(Dictionary<string, string> settings, params int[] blocks)
    {
        var lab = await S3Lab.StartAsync(s3, settings);
        for (var number = 0; number < blocks.Length; number++)
            (await lab.UploadAsync($"tank/b{number}", blocks[number])).MustSucceed();
        return lab;
    }

    /// <summary>Damages each of the first backups in another way; the last ones stay valid.</summary>
    /// <returns>What a check must find for each backup.</returns>
    private async Task<IReadOnlyList<(string Kind, string Key)>> HarmAsync(S3Lab lab, List<string> keys)
    {
        await PutAsync(lab, keys[0] + ".manifest.json", (await GetAsync(lab, keys[0] + ".manifest.json"))[..100]);
        await DeleteAsync(lab, keys[1] + ".manifest.json");
        await DeleteAsync(lab, keys[2]);
        await DeleteAsync(lab, keys[3] + ".0002");
        await PutAsync(lab, keys[4] + ".0002", (await GetAsync(lab, keys[4] + ".0002"))[..^1]);
        foreach (var end in (string[])["", ".0002", ".manifest.json"])
            await DeleteAsync(lab, keys[5] + end);
        await PutAsync(lab, keys[6] + ".0003", "left"u8.ToArray());
        await PutAsync(lab, "client1/left_2026-01-01_00:00:00.zfs", "left"u8.ToArray());
        var flipped = await GetAsync(lab, keys[7]);
        flipped[^1] ^= 1;
        await PutAsync(lab, keys[7], flipped);
        return
        [
            ("manifest_unreadable", keys[0]),
            ("manifest_missing", keys[1]),
            ("object_missing", keys[2]),
            ("object_missing", keys[3]),
            ("object_size", keys[4]),
            ("object_missing", keys[5]),
            ("orphan_object", keys[6]),
            ("orphan_object", "client1/left_2026-01-01_00:00:00.zfs"),
        ];
    }

    private async Task<byte[]> GetAsync(S3Lab lab, string key)
    {
        using var content = new MemoryStream();
        using (var found = await s3.Client.GetObjectAsync(lab.Bucket, $"some/place/{key}", Token))
            await found.ResponseStream.CopyToAsync(content, Token);
        _originals.TryAdd(key, content.ToArray());
        return content.ToArray();
    }

    private async Task DeleteAsync(S3Lab lab, string key)
    {
        await GetAsync(lab, key);
        await s3.Client.DeleteObjectAsync(lab.Bucket, $"some/place/{key}", Token);
    }

    private async Task PutAsync(S3Lab lab, string key, byte[] content)
    {
        using var body = new MemoryStream(content);
        await s3.Client.PutObjectAsync(
            new PutObjectRequest
            {
                BucketName = lab.Bucket,
                Key = $"some/place/{key}",
                InputStream = body,
                UseChunkEncoding = false,
            },
            Token
        );
    }

    /// <summary>Runs <c>zfs-server catalogue … --json</c>.</summary>
    private static async Task<JsonElement> RunAsync(S3Lab lab, int exitCode, params string[] arguments)
    {
        var result = await lab.Server.RunAsync(["catalogue", .. arguments, "--json"]);
        Assert.True(result.ExitCode == exitCode, result.Text);
        return exitCode is 0 or 7 ? CommandJson.Result(result.Output) : CommandJson.Parse(result.Output);
    }

    private static string CatalogueOf(S3Lab lab) => Path.Combine(lab.Server.DataFolder, "metadata.db");

    private static IReadOnlyList<string> Kinds(JsonElement report) => KindsOf(report, "findings");

    private static IReadOnlyList<string> Notes(JsonElement report) => KindsOf(report, "notes");

    private static IReadOnlyList<string> KindsOf(JsonElement report, string list) =>
        [
            .. report
                .GetProperty(list)
                .EnumerateArray()
                .Select(finding => finding.GetProperty("kind").GetString()!)
                .Order(StringComparer.Ordinal),
        ];
}
