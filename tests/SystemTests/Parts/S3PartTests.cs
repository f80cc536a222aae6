using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Amazon.S3.Model;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.SystemTests.Crashes;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.SystemTests.S3;

namespace ZfsSnapshotManager.SystemTests.Parts;

/// <summary>Uploads in parts to a server that stores in a bucket.</summary>
[Collection("s3")]
public sealed class S3PartTests(Radosgw s3)
{
    private const int PartSize = 5 * 1024 * 1024;

    private static readonly Lazy<byte[]> Stream = new(() => PartServer.Noise(280));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static JsonObject Fields =>
        new()
        {
            ["dataset_name"] = "tank/data",
            ["snapshot_guid"] = $"{PartServer.Guid}",
            ["incremental"] = false,
            ["compression"] = "gzip",
        };

    [Fact]
    public async Task An_object_that_S3_is_slow_to_begin_keeps_no_other_upload_waiting()
    {
        await using var lab = await S3Lab.StartAsync(s3);
        using var other = await Uploader.CreateAsync(lab.Server, "other");
        var part = CutParts.Cut(Stream.Value, PartSize, new Random(1)).Parts[0];
        var hang = lab.Proxy.Add(
            Fault.Hang,
            request =>
                request.Kind == S3Kind.CreateMultipart
                && request.Path.Contains(lab.Client.Id, StringComparison.Ordinal),
            times: 1000
        );
        var stuck = lab.Client.SendPartAsync(await lab.Client.AnnounceAsync(Fields), part);
        await Patience.UntilAsync("S3 is asked to begin it", () => hang.Hits > 0);

        (await other.SendPartAsync(await other.AnnounceAsync(Fields), part)).MustSucceed();

        Assert.False(stuck.IsCompleted);
        await lab.Server.KillAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => stuck);
    }

    [Fact]
    public async Task Where_an_object_is_full_the_parts_go_into_further_ones()
    {
        await using var lab = await S3Lab.StartAsync(s3, new Dictionary<string, string> { ["S3_MAX_PARTS"] = "2" });
        var cut = CutParts.Cut(Stream.Value, PartSize, new Random(1));
        Assert.True(cut.Parts.Count > 4);
        var upload = await lab.Client.AnnounceAsync(Fields);
        foreach (var part in cut.Parts.Reverse())
            (await lab.Client.SendPartAsync(upload, part)).MustSucceed();

        var snapshot = (await lab.Client.CompleteAsync(upload, cut)).MustSucceed().Json.GetProperty("snapshot");

        var key = snapshot.GetProperty("storage_key").GetString()!;
        var objects = (await s3.ListAsync(lab.Bucket))
            .Where(found =>
                found.Key.StartsWith(key, StringComparison.Ordinal)
                && !found.Key.EndsWith(".manifest.json", StringComparison.Ordinal)
            )
            .ToList();
        Assert.Equal(
            cut.Parts.Chunk(2)
                .Select(
                    (chunk, index) =>
                        (index == 0 ? key : $"{key}.{index + 1:0000}", chunk.Sum(part => (long)part.Stored.Length))
                ),
            objects
        );
        Assert.Equal(0, await s3.CountUnfinishedAsync(lab.Bucket));
        await AssertDownloadsAsync(lab, cut);
    }

    [Fact]
    public async Task A_part_that_S3_does_not_take_is_refused_for_now_and_may_be_sent_again()
    {
        await using var lab = await S3Lab.StartAsync(s3, new Dictionary<string, string> { ["S3_RETRY_TIME"] = "1" });
        var cut = CutParts.Cut(Stream.Value, PartSize, new Random(2));
        var upload = await lab.Client.AnnounceAsync(Fields);
        (await lab.Client.SendPartAsync(upload, cut.Parts[0])).MustSucceed();
        lab.Proxy.Add(Fault.SlowDown, request => request.Kind == S3Kind.UploadPart, times: 1000);
        (await lab.Client.SendPartAsync(upload, cut.Parts[1])).AssertRefused(
            HttpStatusCode.ServiceUnavailable,
            "storage_unavailable"
        );
        lab.Proxy.Forget();

        foreach (var part in cut.Parts.Skip(1))
            (await lab.Client.SendPartAsync(upload, part)).MustSucceed();
        lab.Proxy.Add(Fault.LoseAnswer, request => request.Kind == S3Kind.CompleteMultipart, times: 1);
        (await lab.Client.CompleteAsync(upload, cut)).MustSucceed();
        await AssertDownloadsAsync(lab, cut);
        Assert.Equal(0, await s3.CountUnfinishedAsync(lab.Bucket));
    }

    [Fact]
    public async Task Parts_that_are_gone_from_the_bucket_are_told_and_the_upload_starts_again()
    {
        await using var lab = await S3Lab.StartAsync(s3);
        var cut = CutParts.Cut(Stream.Value, PartSize, new Random(3));
        var upload = await lab.Client.AnnounceAsync(Fields);
        (await lab.Client.SendPartAsync(upload, cut.Parts[0])).MustSucceed();
        foreach (
            var unfinished in (
                await s3.Client.ListMultipartUploadsAsync(
                    new ListMultipartUploadsRequest { BucketName = lab.Bucket },
                    Token
                )
            ).MultipartUploads
        )
        {
            // As a lifecycle rule does.
            await s3.Client.AbortMultipartUploadAsync(lab.Bucket, unfinished.Key, unfinished.UploadId, Token);
        }

        (await lab.Client.SendPartAsync(upload, cut.Parts[1])).AssertRefused(HttpStatusCode.Conflict, "upload_lost");
        Assert.False((await lab.Client.AskAsync(Fields)).MustSucceed().Json.TryGetProperty("resume", out _));
        foreach (var part in cut.Parts)
            (await lab.Client.SendPartAsync(upload, part)).MustSucceed();
        (await lab.Client.CompleteAsync(upload, cut)).MustSucceed();
        await AssertDownloadsAsync(lab, cut);
    }

    /// <summary>Its object is complete, and takes no more parts.</summary>
    [Fact]
    public async Task A_part_that_is_sent_again_while_a_commit_fails_costs_nothing()
    {
        await using var lab = await S3Lab.StartAsync(s3, new Dictionary<string, string> { ["S3_RETRY_TIME"] = "2" });
        var cut = CutParts.Cut(Stream.Value, PartSize, new Random(5));
        var upload = await lab.Client.AnnounceAsync(Fields);
        foreach (var part in cut.Parts)
            (await lab.Client.SendPartAsync(upload, part)).MustSucceed();
        var failing = lab.Proxy.Add(
            Fault.SlowDown,
            request => request is { Kind: S3Kind.PutObject, IsManifest: true },
            times: 1000
        );
        var completing = lab.Client.CompleteAsync(upload, cut);
        await Patience.UntilAsync("the manifest is put", () => failing.Hits > 0);
        var late = lab.Client.SendPartAsync(upload, cut.Parts[^1]);
        (await completing).AssertRefused(HttpStatusCode.ServiceUnavailable, "storage_unavailable");
        lab.Proxy.Forget();

        (await late).MustSucceed();

        (await lab.Client.SendPartAsync(upload, cut.Parts[0])).MustSucceed();
        (await lab.Client.CompleteAsync(upload, cut)).MustSucceed();
        await AssertDownloadsAsync(lab, cut);
    }

    [Fact]
    public async Task A_dropped_upload_and_one_that_nobody_went_on_with_leave_no_parts_in_the_bucket()
    {
        await using var lab = await S3Lab.StartAsync(s3);
        var cut = CutParts.Cut(Stream.Value, PartSize, new Random(4));
        var upload = await lab.Client.AnnounceAsync(Fields);
        (await lab.Client.SendPartAsync(upload, cut.Parts[0])).MustSucceed();
        Assert.Equal(1, await s3.CountUnfinishedAsync(lab.Bucket));
        (await lab.Client.DeleteAsync($"upload-stream/{upload}")).MustSucceed();
        Assert.Equal(0, await s3.CountUnfinishedAsync(lab.Bucket));

        upload = await lab.Client.AnnounceAsync(Fields);
        (await lab.Client.SendPartAsync(upload, cut.Parts[0])).MustSucceed();
        foreach (var (days, unfinished) in ((int, int)[])[(6, 1), (8, 0)])
        {
            await lab.Server.StopAsync();
            Touch(lab, upload, TimeProvider.System.GetUtcNow() - TimeSpan.FromDays(days));
            await lab.Server.StartAgainAsync();
            await CleanUpAsync(lab.Server);
            Assert.Equal(unfinished, await s3.CountUnfinishedAsync(lab.Bucket));
            Assert.Equal(
                unfinished,
                (await lab.Client.GetAsync("uploads")).Json.GetProperty("uploads").GetArrayLength()
            );
        }

        await lab.AssertHoldsWhatIsListedAsync(0);
    }

    [Fact]
    public async Task An_upload_goes_on_through_kills_of_the_server_and_nothing_else_stays_in_the_bucket()
    {
        var kills = RandomTest.Count(few: 8, many: 200);
        var random = RandomTest.Random();
        await using var lab = await S3Lab.StartAsync(s3);
        var cut = CutParts.Cut(Stream.Value, PartSize, random);
        for (var kill = 1; ; kill++)
        {
            var asked = await lab.Client.AskAsync(Fields);
            if (asked.Code == "snapshot_exists")
                break;
            var upload = asked.MustSucceed().Json.GetProperty("upload_id").GetString()!;
            var next = asked.Json.TryGetProperty("resume", out var resume)
                ? resume.GetProperty("next_part").GetInt32()
                : 1;
            var sending = SendAsync(lab, upload, cut, next);
            if (kill > kills)
            {
                await sending;
                continue;
            }

            await Task.Delay(random.Next(1, 600), Token);
            await lab.Server.KillAsync();
            await Task.WhenAny(sending); // it broke off
            await lab.Server.StartAgainAsync();
        }

        await lab.AssertHoldsWhatIsListedAsync(1);
        await AssertDownloadsAsync(lab, cut);
        await lab.AssertVerifiesAsync();
    }

    private static async Task SendAsync(S3Lab lab, string upload, CutParts cut, int next)
    {
        var parts = cut.Parts.Where(part => part.Number >= next);
        await Parallel.ForEachAsync(
            parts,
            new ParallelOptions { MaxDegreeOfParallelism = 3, CancellationToken = Token },
            async (part, token) => (await lab.Client.SendPartAsync(upload, part)).MustSucceed()
        );
        (await lab.Client.CompleteAsync(upload, cut)).MustSucceed();
    }

    private static async Task AssertDownloadsAsync(S3Lab lab, CutParts cut)
    {
        var id = (await lab.ListAsync())[0].GetProperty("snapshot_id").GetString()!;
        Assert.Equal(
            SHA256.HashData(cut.Stored),
            SHA256.HashData(await lab.Client.Http.GetByteArrayAsync($"download?snapshot_id={id}", Token))
        );
    }

    /// <summary>Lets the job run that does this every hour.</summary>
    private static async Task CleanUpAsync(ServerProcess server)
    {
        var before = await FinishedAsync();
        (await server.RunAsync("jobs", "run", "clean-up")).MustSucceed();
        await Patience.UntilAsync("the clean-up has ended", async () => await FinishedAsync() != before);

        async Task<string?> FinishedAsync()
        {
            var shown = (await server.RunAsync("jobs", "show", "clean-up", "--json")).MustSucceed();
            return CommandJson.Result(shown.Output).TryGetProperty("finished_at", out var at) ? at.GetRawText() : null;
        }
    }

    /// <summary>Sets back when somebody last worked on an upload; nobody waits for days in a test.</summary>
    private static void Touch(S3Lab lab, string upload, DateTimeOffset when)
    {
        using var connection = new SqliteConnection(
            $"Data Source={Path.Combine(lab.Server.DataFolder, "metadata.db")};Pooling=False"
        );
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "UPDATE uploads SET touched_at = @when WHERE upload_id = @upload";
        command.Parameters.AddWithValue("@when", when.ToUnixTimeMilliseconds());
        command.Parameters.AddWithValue("@upload", upload);
        Assert.Equal(1, command.ExecuteNonQuery());
    }
}
