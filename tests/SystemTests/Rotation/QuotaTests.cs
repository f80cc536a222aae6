using System.Net;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Rotation;

/// <summary>A client's quota while streams come in.</summary>
public sealed class QuotaTests(SharedServer server) : IClassFixture<SharedServer>
{
    private const int Block = 131072;

    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_stream_beyond_the_quota_is_refused_with_the_numbers_and_nothing_changes()
    {
        using var client = await LimitedAsync(10 * Block);
        await StoreAsync(client, 1, 0, blocks: 5);
        var before = await client.PictureAsync();
        var upload = await client.AnnounceAsync(Fields());

        var refused = await client.SendAsync(upload, StreamChain.Stream(2, 0, Now, blocks: 6));

        Assert.Equal((HttpStatusCode.InsufficientStorage, "quota_exceeded"), (refused.Status, refused.Code));
        Assert.Contains($"{10 * Block} bytes", refused.Text, StringComparison.Ordinal);
        Assert.Contains("--max-size", refused.Text, StringComparison.Ordinal);
        (await client.DeleteAsync($"upload-stream/{upload}")).MustSucceed();
        Assert.Equal(before, await client.PictureAsync());
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }

    [Fact]
    public async Task A_stream_that_fits_to_the_byte_is_accepted()
    {
        var stream = StreamChain.Stream(1, 0, Now, blocks: 3);
        using var client = await LimitedAsync(stream.Length);

        (await client.SendAsync(await client.AnnounceAsync(Fields()), stream)).MustSucceed();

        var status = (await client.GetAsync("status")).MustSucceed().Json;
        Assert.Equal(
            (stream.Length, 0L),
            (status.GetProperty("used_bytes").GetInt64(), status.GetProperty("reserved_bytes").GetInt64())
        );
        var full = await client.AskAsync(Fields());
        Assert.Equal((HttpStatusCode.InsufficientStorage, "quota_exceeded"), (full.Status, full.Code));
    }

    [Fact]
    public async Task Parts_are_counted_as_they_arrive_and_released_when_the_upload_is_dropped()
    {
        using var client = await LimitedAsync(13 * 1024 * 1024);
        var cut = CutParts.Cut(StreamChain.Stream(1, 0, Now, blocks: 200), 8 * 1024 * 1024, new Random(1));
        var upload = await client.AnnounceAsync(Fields("gzip"));

        (await client.SendPartAsync(upload, cut.Parts[0])).MustSucceed();
        (await client.SendPartAsync(upload, cut.Parts[0])).MustSucceed(); // again: it uses no more space
        var refused = await client.SendPartAsync(upload, cut.Parts[1]);

        Assert.Equal((HttpStatusCode.InsufficientStorage, "quota_exceeded"), (refused.Status, refused.Code));
        Assert.Equal(
            cut.Parts[0].Stored.Length,
            (await client.GetAsync("status")).MustSucceed().Json.GetProperty("reserved_bytes").GetInt64()
        );
        (await client.DeleteAsync($"upload-stream/{upload}")).MustSucceed();
        Assert.Equal(0, (await client.GetAsync("status")).MustSucceed().Json.GetProperty("reserved_bytes").GetInt64());
    }

    [Fact]
    public async Task Two_concurrent_uploads_cannot_both_use_the_last_space()
    {
        for (var round = 0; round < 5; round++)
        {
            using var client = await LimitedAsync(15 * Block);
            var uploads = await Task.WhenAll(
                Enumerable
                    .Range(0, 3)
                    .Select(async index =>
                        (
                            Id: await client.AnnounceAsync(Fields()),
                            Stream: StreamChain.Stream((ulong)index + 1, 0, Now, blocks: 10)
                        )
                    )
            );

            var answers = await Task.WhenAll(uploads.Select(upload => client.SendAsync(upload.Id, upload.Stream)));

            // None, if each reserved a half before the other arrived.
            Assert.InRange(answers.Count(answer => answer.Status == HttpStatusCode.OK), 0, 1);
            Assert.All(answers.Where(answer => answer.Status != HttpStatusCode.OK), answer =>
                Assert.Equal("quota_exceeded", answer.Code)
            );
            var used = (await client.GetAsync("status")).MustSucceed().Json;
            Assert.True(used.GetProperty("used_bytes").GetInt64() <= 15 * Block);
            Assert.Equal(0, used.GetProperty("reserved_bytes").GetInt64());
        }
    }

    /// <summary>
    /// The server reserves ahead of the bytes received, to avoid counting for each block; this must not cost others
    /// their space.
    /// </summary>
    [Fact]
    public async Task Two_concurrent_uploads_that_just_fit_are_both_accepted_and_nothing_is_deleted()
    {
        // 9 MiB.
        byte[] small = StreamChain.Stream(3, 0, Now, blocks: 10),
            large = StreamChain.Stream(4, 0, Now, blocks: 72);
        var stored = StreamChain.Stream(1, 0, Now, blocks: 3).Length;
        using var client = await LimitedAsync((2 * stored) + small.Length + large.Length);
        await StoreAsync(client, 1, 0, blocks: 3, hours: -9); // it would be deleted if there were too little space
        await StoreAsync(client, 2, 0, blocks: 3, hours: -8);
        using var gate = new SemaphoreSlim(0);
        var waiting = client.SendAsync(
            await client.AnnounceAsync(Fields()),
            new HaltingContent(small, small.Length / 2, gate)
        );
        await Patience.UntilAsync("its first half is there", async () =>
            (await client.GetAsync("status")).MustSucceed().Json.GetProperty("reserved_bytes").GetInt64() > 0
        );

        (await client.SendAsync(await client.AnnounceAsync(Fields()), large)).MustSucceed();
        gate.Release();
        (await waiting).MustSucceed();

        Assert.Equal(["1", "2", "3", "4"], await ListAsync(client));
        var next = await client.AskAsync(Fields()); // to the byte; nothing is deleted before the stream comes
        Assert.Equal(HttpStatusCode.OK, next.Status);
        Assert.Equal(["1", "2", "3", "4"], await ListAsync(client));
        var stream = StreamChain.Stream(5, 0, Now, blocks: 1);
        (await client.SendAsync(next.Json.GetProperty("upload_id").GetString()!, stream)).MustSucceed();
        Assert.Equal(["2", "3", "4", "5"], await ListAsync(client));
    }

    [Fact]
    public async Task Without_a_policy_the_oldest_chain_is_deleted_for_space_and_the_newest_never()
    {
        using var client = await LimitedAsync(10 * Block);
        await StoreAsync(client, 1, 0, blocks: 3, hours: -9);
        await StoreAsync(client, 2, 1, blocks: 2, hours: -8);
        await StoreAsync(client, 3, 0, blocks: 3, hours: -7);

        await StoreAsync(client, 4, 3, blocks: 3, hours: -6);

        Assert.Equal(["1", "3", "4"], await ListAsync(client)); // the end of the oldest chain was enough
        await StoreAsync(client, 5, 4, blocks: 2, hours: -5);
        Assert.Equal(["3", "4", "5"], await ListAsync(client));
        var upload = await client.AnnounceAsync(Fields());
        Assert.Equal("quota_exceeded", (await client.SendAsync(upload, StreamChain.Stream(6, 5, Now, blocks: 5))).Code);
        Assert.Equal(["3", "4", "5"], await ListAsync(client));
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }

    [Fact]
    public async Task The_server_s_policy_is_a_minimum()
    {
        using var client = await LimitedAsync(10 * Block);
        await EditedClients.ChangeAsync(server.Process, client.Id, entry => entry["rotation_policy"] = new JsonObject
            {
                ["keep_hourly"] = 2,
                ["keep_daily"] = 0,
                ["keep_weekly"] = 0,
                ["keep_monthly"] = 0,
            });
        for (var guid = 1UL; guid <= 3; guid++)
            await StoreAsync(client, guid, 0, blocks: 3, hours: -9 + (int)guid, type: "hourly");

        await StoreAsync(client, 4, 0, blocks: 3, hours: -2, type: "hourly");

        // The policy no longer keeps 1; before 4 exists, it keeps 2.
        Assert.Equal(["2", "3", "4"], await ListAsync(client));
        await StoreAsync(client, 5, 0, blocks: 3, hours: -1, type: "hourly");
        Assert.Equal(["3", "4", "5"], await ListAsync(client));
        var upload = await client.AnnounceAsync(Fields("none", "hourly"));
        Assert.Equal("quota_exceeded", (await client.SendAsync(upload, StreamChain.Stream(6, 0, Now, blocks: 5))).Code);
        Assert.Equal(["3", "4", "5"], await ListAsync(client)); // 3 alone would not have made room
    }

    /// <summary>A dataset that is larger than the quota is added to those that are backed up.</summary>
    [Theory]
    [InlineData("none")]
    [InlineData("gzip")]
    public async Task An_upload_that_cannot_fit_is_refused_when_it_is_announced_and_deletes_nothing(string compression)
    {
        using var client = await WithHistoryAsync(compression);

        var refused = await client.AskAsync(WithEstimate(compression, 40 * Block));

        Assert.Equal((HttpStatusCode.InsufficientStorage, "quota_exceeded"), (refused.Status, refused.Code));
        Assert.Contains("may be deleted for it", refused.Text, StringComparison.Ordinal);
        Assert.Equal(["1", "2", "3"], await ListAsync(client));
        Assert.Equal(HttpStatusCode.OK, (await client.AskAsync(WithEstimate(compression, 6 * Block))).Status);
    }

    [Fact]
    public async Task An_upload_that_turns_out_not_to_fit_is_refused_before_anything_is_deleted_for_it()
    {
        await using var own = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["PART_SIZE_MIB"] = "1" }
        );
        using var client = await Uploader.CreateAsync(own, "parts", "--max-size", $"{23 * Block}");
        await StoreHistoryAsync(client, "none");
        // Nothing is known of how well this dataset compresses: it may fit.
        var fields = WithEstimate("gzip", 60 * Block);
        fields["dataset_name"] = "tank/new";
        var upload = await client.AnnounceAsync(fields);
        var cut = CutParts.Cut(StreamChain.Stream(9, 0, Now, blocks: 60), 8 * Block, new Random(1));

        (await client.SendPartAsync(upload, cut.Parts[0])).MustSucceed(); // there is room for so much
        var refused = await client.SendPartAsync(upload, cut.Parts[1]);

        Assert.Equal((HttpStatusCode.InsufficientStorage, "quota_exceeded"), (refused.Status, refused.Code));
        Assert.Equal(["1", "2", "3"], await ListAsync(client));
    }

    [Fact]
    public async Task With_a_delay_nothing_is_marked_for_an_upload_that_cannot_fit_and_what_helps_for_one_that_can()
    {
        await using var own = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["DELETE_DELAY_HOURS"] = "48" }
        );
        using var client = await Uploader.CreateAsync(own, "delayed", "--max-size", $"{(10 * Block) + 10_000}");
        await StoreHistoryAsync(client, "none");

        var large = await client.SendAsync(await client.AnnounceAsync(Fields()), Full(9, blocks: 9));
        var before = await ExpiringAsync(client);
        var small = await client.SendAsync(await client.AnnounceAsync(Fields()), Full(9, blocks: 4));

        Assert.Equal(("quota_exceeded", 0), (large.Code, before));
        Assert.Equal(("quota_exceeded", 1), (small.Code, await ExpiringAsync(client)));
        Assert.Contains("48 hours later", small.Text, StringComparison.Ordinal);
    }

    /// <summary>A chain of two backups and a newer one, of 8 of 10 blocks; rotation may delete the chain.</summary>
    private async Task<Uploader> WithHistoryAsync(string compression)
    {
        var client = await LimitedAsync((10 * Block) + 5000);
        await StoreHistoryAsync(client, compression);
        return client;
    }

    private static async Task StoreHistoryAsync(Uploader client, string compression)
    {
        byte[][] streams =
        [
            StreamChain.Stream(1, 0, Now.AddHours(-9), 3),
            StreamChain.Stream(2, 1, Now.AddHours(-8), 2),
            StreamChain.Stream(3, 0, Now.AddHours(-7), 3),
        ];
        foreach (var stream in streams)
        {
            var body = compression == "gzip" ? GzipFile.Compress(stream) : stream;
            (await client.SendAsync(await client.AnnounceAsync(Fields(compression)), body)).MustSucceed();
        }
    }

    private static byte[] Full(ulong guid, int blocks) => StreamChain.Stream(guid, 0, Now, blocks);

    private static JsonObject WithEstimate(string compression, long bytes)
    {
        var fields = Fields(compression);
        fields["estimated_size"] = bytes;
        fields["incremental"] = false; // only the estimate of a full stream is reliable
        return fields;
    }

    private static async Task<int> ExpiringAsync(Uploader client) =>
        (await client.GetAsync("status")).MustSucceed().Json.GetProperty("expiring_count").GetInt32();

    private async Task<Uploader> LimitedAsync(long bytes)
    {
        var client = await server.NewClientAsync();
        await EditedClients.ChangeAsync(server.Process, client.Id, entry => entry["max_size_bytes"] = bytes);
        return client;
    }

    private static JsonObject Fields(string compression = "none", string type = "manual") =>
        new()
        {
            ["dataset_name"] = "tank/data",
            ["compression"] = compression,
            ["snapshot_type"] = type,
        };

    private static async Task StoreAsync(
        Uploader client,
        ulong guid,
        ulong from,
        int blocks,
        int hours = 0,
        string type = "manual"
    ) =>
        (
            await client.SendAsync(
                await client.AnnounceAsync(Fields("none", type)),
                StreamChain.Stream(guid, from, Now.AddHours(hours), blocks)
            )
        ).MustSucceed();

    private static async Task<List<string>> ListAsync(Uploader client) =>
        [
            .. (await client.GetAsync("snapshots"))
                .MustSucceed()
                .Json.GetProperty("snapshots")
                .EnumerateArray()
                .Select(backup => backup.GetProperty("snapshot_guid").GetString()!)
                .Order(StringComparer.Ordinal),
        ];
}
