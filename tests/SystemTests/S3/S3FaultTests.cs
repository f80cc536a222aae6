using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Crashes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary>
/// A network or an S3 that fails now and then only costs time; a permanent failure is reported and leaves nothing.
/// </summary>
[Collection("s3")]
public sealed class S3FaultTests(Radosgw s3)
{
    private static readonly S3Kind[] KindsOfUpload =
    [
        S3Kind.HeadObject,
        S3Kind.CreateMultipart,
        S3Kind.UploadPart,
        S3Kind.CompleteMultipart,
        S3Kind.PutObject,
    ];

    private static readonly Dictionary<string, string> Impatient = new(StringComparer.Ordinal)
    {
        [S3Lab.QuickToGiveUp.Key] = S3Lab.QuickToGiveUp.Value,
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_upload_survives_any_single_fault_of_any_of_its_requests()
    {
        await using var lab = await S3Lab.StartAsync(s3, Impatient);
        List<(S3Kind Kind, Fault Fault, int Blocks)> cases =
        [
            .. KindsOfUpload.SelectMany(kind => FaultsOf(kind).Select(fault => (kind, fault, S3Lab.ThreeParts))),
            // The object of a stream that fits in one part.
            .. FaultsOf(S3Kind.PutObject).Select(fault => (S3Kind.PutObject, fault, 1)),
        ];
        // The next test's.
        cases.RemoveAll(one => one is { Kind: S3Kind.CreateMultipart, Fault: Fault.LoseAnswer or Fault.HangAfter });
        List<string> faults = [];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, cases.Count),
            new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Token },
            async (number, _) =>
            {
                var (kind, fault, blocks) = cases[number];
                var rule = lab.Proxy.Add(
                    fault,
                    request =>
                        request.Kind == kind && request.Path.Contains($"tank_c{number}_", StringComparison.Ordinal),
                    skip: kind == S3Kind.UploadPart ? 1 : 0
                );
                var answer = await lab.UploadAsync($"tank/c{number}", blocks);
                if (answer.Status != HttpStatusCode.OK || rule.Hits != 1)
                {
                    lock (faults)
                        faults.Add(
                            $"{fault} of {kind} with {blocks} blocks: hit {rule.Hits} times, answer "
                                + $"{(int)answer.Status} {answer.Text}"
                        );
                }
            }
        );

        Assert.True(faults.Count == 0, string.Join('\n', faults));
        await lab.AssertHoldsWhatIsListedAsync(cases.Count);
        await lab.AssertVerifiesAsync();
        TestContext.Current.TestOutputHelper!.WriteLine($"{cases.Count} faults");
    }

    [Fact]
    public async Task A_multipart_upload_unknown_to_the_server_is_aborted_at_its_next_start()
    {
        await using var lab = await S3Lab.StartAsync(s3);
        lab.Proxy.Add(Fault.LoseAnswer, S3Kind.CreateMultipart);

        (await lab.UploadAsync("tank/data")).MustSucceed();

        Assert.Equal(1, await s3.CountUnfinishedAsync(lab.Bucket));
        Assert.Equal(0, await lab.Server.StopAsync());
        await lab.Server.StartAgainAsync();
        await lab.AssertHoldsWhatIsListedAsync(1);
        await lab.AssertVerifiesAsync();
    }

    [Fact]
    public async Task A_download_survives_any_fault_that_does_not_last()
    {
        await using var lab = await S3Lab.StartAsync(s3, Impatient);
        foreach (
            var fault in (Fault[])
                [
                    Fault.SlowDown,
                    Fault.InternalError,
                    Fault.ResetBefore,
                    Fault.LoseAnswer,
                    Fault.HangAfter,
                    Fault.CutAnswer,
                    Fault.CorruptAnswer,
                ]
        )
        {
            (await lab.UploadAsync($"tank/{fault}")).MustSucceed();
            // Another one each time: the manifest of one that was read before is not read again.
            var backup = (await lab.ListAsync())[0];
            lab.Proxy.Forget();
            var parts = lab.Proxy.Add(
                fault,
                request => request is { Kind: S3Kind.GetObject, IsManifest: false },
                times: 2
            );
            var manifest = lab.Proxy.Add(fault is Fault.CorruptAnswer ? Fault.CutAnswer : fault, request =>
                request is { Kind: S3Kind.GetObject, IsManifest: true }
            );
            await lab.DownloadAsync(backup);
            Assert.True(
                parts.Hits == 2 && manifest.Hits == 1,
                $"{fault} hit {parts.Hits} parts and {manifest.Hits} manifests"
            );
        }
    }

    [Fact]
    public async Task A_part_that_always_arrives_damaged_ends_the_download_before_a_wrong_byte()
    {
        await using var lab = await S3Lab.StartAsync(s3);
        (await lab.UploadAsync("tank/data")).MustSucceed();
        var backup = Assert.Single(await lab.ListAsync());
        var right = await lab.DownloadAsync(backup);
        lab.Proxy.Add(
            Fault.CorruptAnswer,
            request => request is { Kind: S3Kind.GetObject, IsManifest: false },
            skip: 1,
            times: 1000
        );

        var (received, e) = await ReceiveAsync(lab, backup);

        Assert.NotNull(e);
        Assert.True(
            received.Length <= 5 * 1024 * 1024 && right.AsSpan().StartsWith(received),
            $"{received.Length} bytes came"
        );
        var verified = await lab.Client.RestoreAsync("verify", "all");
        Assert.Equal(7, verified.ExitCode);
        await Patience.UntilAsync("the log tells", () =>
            lab.Server.Log.Contains("are not those that were stored", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task The_server_starts_though_any_request_of_its_start_fails_once()
    {
        S3Kind[] kinds =
        [
            S3Kind.ListObjects,
            S3Kind.ListMultipartUploads,
            S3Kind.PutObject,
            S3Kind.GetObject,
            S3Kind.HeadObject,
            S3Kind.CreateMultipart,
            S3Kind.UploadPart,
            S3Kind.CompleteMultipart,
            S3Kind.AbortMultipart,
            S3Kind.DeleteObject,
        ];
        var faults = new System.Collections.Concurrent.ConcurrentQueue<string>();
        // Most of the time is that of the pauses before another try: two servers at once.
        await Parallel.ForEachAsync(kinds.Chunk(kinds.Length / 2), Token, async (half, _) =>
        {
            await using var lab = await S3Lab.StartAsync(s3);
            foreach (var kind in half)
            {
                foreach (var fault in (Fault[])[Fault.SlowDown, Fault.LoseAnswer])
                    await StartWithAsync(lab, fault, kind, faults);
            }

            lab.Proxy.Forget();
            await lab.Server.KillAsync();
            await lab.Server.StartAgainAsync();
            (await lab.UploadAsync("tank/data")).MustSucceed();
            await lab.AssertHoldsWhatIsListedAsync(1);
        });

        Assert.True(faults.IsEmpty, string.Join('\n', faults));
    }

    [Fact]
    public async Task An_S3_outage_that_lasts_too_long_is_reported_and_the_upload_can_be_sent_later()
    {
        await using var lab = await S3Lab.StartAsync(
            s3,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["S3_RETRY_TIME"] = "2" }
        );
        (await lab.UploadAsync("tank/before")).MustSucceed();
        var upload = await lab.AnnounceAsync("tank/data");
        lab.Proxy.GoAway();

        var backup = Assert.Single(await lab.ListAsync());
        (await lab.Client.GetAsync("status")).MustSucceed();
        (
            await lab.Client.AskAsync(new JsonObject { ["dataset_name"] = "tank/more", ["compression"] = "none" })
        ).AssertRefused(HttpStatusCode.ServiceUnavailable, "storage_unavailable");
        (
            await lab.Client.GetAsync(
                $"download?snapshot_id={Uri.EscapeDataString(backup.GetProperty("snapshot_id").GetString()!)}"
            )
        ).AssertRefused(HttpStatusCode.ServiceUnavailable, "storage_unavailable");
        var answer = await lab.SendAsync(upload);

        lab.Proxy.ComeBack();
        (await lab.SendAsync(upload)).MustSucceed();
        await lab.AssertHoldsWhatIsListedAsync(2);
        await lab.AssertVerifiesAsync();
        answer.AssertRefused(HttpStatusCode.ServiceUnavailable, "storage_unavailable");
    }

    [Fact]
    public async Task An_upload_that_S3_refuses_from_some_point_leaves_nothing()
    {
        await using var lab = await S3Lab.StartAsync(
            s3,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["S3_RETRY_TIME"] = "1" }
        );
        var upload = await lab.AnnounceAsync("tank/data");
        foreach (var kind in KindsOfUpload.Where(kind => kind != S3Kind.HeadObject))
        {
            lab.Proxy.Add(Fault.SlowDown, kind, skip: kind == S3Kind.UploadPart ? 1 : 0, times: 1000);
            (await lab.SendAsync(upload)).AssertRefused(HttpStatusCode.ServiceUnavailable, "storage_unavailable");
            lab.Proxy.Forget();
            await lab.AssertHoldsWhatIsListedAsync(0);
        }

        (await lab.SendAsync(upload)).MustSucceed();
        await lab.AssertHoldsWhatIsListedAsync(1);
        await lab.AssertVerifiesAsync();
    }

    /// <summary>
    /// The worst moment to lose S3: it has executed the request, but the answer is lost and the server cannot ask
    /// again.
    /// </summary>
    [Theory]
    [InlineData(nameof(S3Kind.CompleteMultipart), S3Lab.ThreeParts, false)]
    [InlineData(nameof(S3Kind.PutObject), S3Lab.ThreeParts, false)]
    [InlineData(nameof(S3Kind.PutObject), 1, false)]
    [InlineData(nameof(S3Kind.CompleteMultipart), S3Lab.ThreeParts, true)]
    [InlineData(nameof(S3Kind.PutObject), S3Lab.ThreeParts, true)]
    public async Task Objects_that_S3_stored_before_an_outage_are_resolved_after_it(
        string kind,
        int blocks,
        bool restart
    )
    {
        await using var lab = await S3Lab.StartAsync(
            s3,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["S3_RETRY_TIME"] = "1" }
        );
        var upload = await lab.AnnounceAsync("tank/data");
        var lost = lab.Proxy.Add(Fault.LoseAnswer, Enum.Parse<S3Kind>(kind));
        lab.Proxy.Add(Fault.SlowDown, _ => lost.Hits == 1, times: 1000);
        (await lab.SendAsync(upload, blocks)).AssertRefused(HttpStatusCode.ServiceUnavailable, "storage_unavailable");
        Assert.Empty(await lab.ListAsync());
        lab.Proxy.Forget();

        if (restart)
        {
            await lab.Server.KillAsync();
            await lab.Server.StartAgainAsync();
            var committed = kind == nameof(S3Kind.PutObject); // its manifest is there as well: all of it is
            await lab.AssertHoldsWhatIsListedAsync(committed ? 1 : 0);
        }

        var again = await lab.SendAsync(upload, blocks);

        Assert.True(again.Status == HttpStatusCode.OK || again.Code is "snapshot_exists" or "not_found", again.Text);
        await lab.AssertHoldsWhatIsListedAsync(1);
        await lab.AssertVerifiesAsync();
    }

    /// <summary>
    /// The remains of an object that could not be removed must neither block the next attempt nor stay behind.
    /// </summary>
    [Fact]
    public async Task A_backup_of_several_objects_that_could_only_be_removed_in_part_can_be_sent_again()
    {
        await using var lab = await S3Lab.StartAsync(
            s3,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["S3_RETRY_TIME"] = "1", ["S3_MAX_PARTS"] = "2" }
        );
        var upload = await lab.AnnounceAsync("tank/data");
        lab.Proxy.Add(Fault.SlowDown, request => request is { Kind: S3Kind.PutObject, IsManifest: true }, times: 1000);
        lab.Proxy.Add(
            Fault.SlowDown,
            request => request is { Kind: S3Kind.DeleteObject, IsManifest: false },
            skip: 1,
            times: 1000
        );
        (await lab.SendAsync(upload)).AssertRefused(HttpStatusCode.ServiceUnavailable, "storage_unavailable");
        Assert.Equal(2, (await s3.ListAsync(lab.Bucket)).Count); // zfs-server.json and what is left
        lab.Proxy.Forget();

        (await lab.SendAsync(upload, 130)).MustSucceed(); // of another length than before
        await lab.AssertVerifiesAsync();
    }

    [Fact]
    public async Task A_bucket_that_is_deleted_while_the_server_runs_is_reported()
    {
        await using var lab = await S3Lab.StartAsync(s3);
        foreach (var (key, _) in await s3.ListAsync(lab.Bucket))
            await s3.Client.DeleteObjectAsync(lab.Bucket, key, Token);
        await s3.Client.DeleteBucketAsync(lab.Bucket, Token);

        foreach (var blocks in (int[])[1, S3Lab.ThreeParts])
            (await lab.UploadAsync("tank/data", blocks)).AssertRefused(
                HttpStatusCode.InternalServerError,
                "storage_refused",
                lab.Bucket,
                "S3_BUCKET"
            );

        Assert.Empty(await lab.ListAsync());
        Assert.DoesNotContain(s3["S3_SECRET_KEY"], lab.Server.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_exhausted_quota_is_reported_and_leaves_nothing()
    {
        await using var lab = await S3Lab.StartAsync(s3);
        await s3.AdminAsync("quota", "set", "--quota-scope=bucket", $"--bucket={lab.Bucket}", "--max-objects=1");
        await s3.AdminAsync("quota", "enable", "--quota-scope=bucket", $"--bucket={lab.Bucket}");

        foreach (var blocks in (int[])[1, S3Lab.ThreeParts])
            (await lab.UploadAsync("tank/data", blocks)).AssertRefused(
                HttpStatusCode.InsufficientStorage,
                "storage_full",
                lab.Bucket
            );

        await lab.AssertHoldsWhatIsListedAsync(0);
        await s3.AdminAsync("quota", "disable", "--quota-scope=bucket", $"--bucket={lab.Bucket}");
        (await lab.UploadAsync("tank/data")).MustSucceed();
        await lab.AssertHoldsWhatIsListedAsync(1);
    }

    [Fact]
    public async Task A_gateway_that_freezes_or_dies_delays_an_upload_and_ends_a_download()
    {
        await using var gateway = await Gateway.StartAsync(s3);
        await using var lab = await S3Lab.StartAsync(s3, Impatient, gateway.Endpoint);

        lab.Proxy.BytesPerSecond = 10_000_000;
        var sending = lab.UploadAsync("tank/frozen", 300);
        await Patience.UntilAsync("two parts are on their way", () => lab.Proxy.Count(S3Kind.UploadPart) >= 2);
        await gateway.SignalAsync("STOP");
        await Task.Delay(Patience.Of(4), Token); // twice the idle timeout
        Assert.False(sending.IsCompleted);
        await gateway.SignalAsync("CONT");
        (await sending).MustSucceed();

        lab.Proxy.Forget();
        sending = lab.UploadAsync("tank/killed", 300);
        await Patience.UntilAsync("two parts are on their way", () => lab.Proxy.Count(S3Kind.UploadPart) >= 2);
        await gateway.KillAsync();
        await Task.Delay(500, Token);
        await gateway.StartAgainAsync();
        (await sending).MustSucceed();
        lab.Proxy.BytesPerSecond = 0;
        await lab.AssertHoldsWhatIsListedAsync(2);
        await lab.AssertVerifiesAsync();

        var backup = (await lab.ListAsync())[0];
        var right = await lab.DownloadAsync(backup);
        Assert.Equal(0, await lab.Server.StopAsync());
        await lab.Server.StartAgainAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["S3_RETRY_TIME"] = "1" }
        );
        lab.Proxy.BytesPerSecond = 10_000_000;
        lab.Proxy.Forget();
        var receiving = ReceiveAsync(lab, backup);
        await Patience.UntilAsync("parts are on their way", () => lab.Proxy.Count(S3Kind.GetObject) >= 4);
        await gateway.KillAsync();
        var (received, e) = await receiving;
        Assert.NotNull(e);
        Assert.True(
            received.Length < right.Length && right.AsSpan().StartsWith(received),
            $"{received.Length} bytes came"
        );
    }

    [Fact]
    public async Task Acknowledged_backups_survive_kills_of_the_server_and_nothing_else_is_left()
    {
        var kills = RandomTest.Count(few: 8, many: 200);
        var random = RandomTest.Random();
        await using var lab = await S3Lab.StartAsync(s3);
        var start = TimeProvider.System.GetTimestamp();
        (await lab.UploadAsync("tank/data", 200)).MustSucceed();
        var duration = TimeProvider.System.GetElapsedTime(start);
        HashSet<string> acknowledged = [];
        for (var round = 1; round <= kills; round++)
        {
            var moment = duration * random.NextDouble() * 2;
            var sending = TryUploadAsync(round);
            await Task.Delay(moment, Token);
            await lab.Server.KillAsync();
            if (await sending is { } key)
                acknowledged.Add(key);
            await lab.Server.StartAgainAsync();

            var keys = (await lab.ListAsync())
                .Select(backup => backup.GetProperty("storage_key").GetString()!)
                .ToHashSet(StringComparer.Ordinal);
            var when = $"ZSM_SEED={RandomTest.Seed}, kill {round} after {moment.TotalMilliseconds:0} ms";
            Assert.True(
                acknowledged.IsSubsetOf(keys),
                $"{when}: {string.Join(", ", acknowledged.Except(keys, StringComparer.Ordinal))} was acknowledged "
                    + "and is not listed"
            );
            CrashSweep.Print($"{when}: {keys.Count} listed");
            await lab.AssertHoldsWhatIsListedAsync(keys.Count);
        }

        await lab.AssertVerifiesAsync();

        async Task<string?> TryUploadAsync(int round)
        {
            try
            {
                var answer = await lab.UploadAsync($"tank/kill{round}", 200);
                return answer.Status == HttpStatusCode.OK ? answer.Json.GetProperty("storage_key").GetString() : null;
            }
            catch (Exception e) when (BrokenConnection.Is(e))
            {
                return null; // killed before it answered
            }
        }
    }

    [Fact]
    public async Task Memory_is_bounded_by_the_settings_however_many_uploads_there_are_and_however_slow_S3_is()
    {
        const int mebibyte = 1024 * 1024;
        List<(string Line, long Stored, long Peak)> measured = [];
        foreach (
            var (uploads, speed, size) in ((int, int, int)[])
                [
                    (1, 0, 200_000_000),
                    (4, 0, RandomTest.IsSoak ? 200_000_000 : 100_000_000),
                    (4, 40_000_000, RandomTest.IsSoak ? 50_000_000 : 40_000_000),
                ]
        )
        {
            await using var lab = await S3Lab.StartAsync(
                s3,
                new Dictionary<string, string>(StringComparer.Ordinal)
                {
                    ["S3_PART_SIZE_MIB"] = "16",
                    ["S3_IDLE_TIMEOUT"] = "30",
                }
            );
            var idle = lab.Server.PeakMemory();
            lab.Proxy.BytesPerSecond = speed;
            var answers = await Task.WhenAll(
                Enumerable
                    .Range(0, uploads)
                    .Select(number => lab.UploadAsync($"tank/m{number}", size / GeneratedStream.BlockSize))
            );
            Assert.All(answers, answer => answer.MustSucceed());
            var stored = lab.Server.PeakMemory();
            lab.Proxy.BytesPerSecond = 0;
            await lab.AssertHoldsWhatIsListedAsync(uploads);
            await Task.WhenAll(
                (await lab.ListAsync()).Select(async backup => await ReceiveAsync(lab, backup, keep: false))
            );
            var peak = lab.Server.PeakMemory();
            var line =
                $"{uploads} uploads of {size / 1_000_000} MB at once, S3 at "
                + $"{(speed == 0 ? "full speed" : $"{speed / 1_000_000} MB/s")}: peak {idle / (double)mebibyte:0.0} "
                + $"MiB at start, {stored / (double)mebibyte:0.0} MiB after them, {peak / (double)mebibyte:0.0} MiB "
                + "after as many downloads at once";
            TestContext.Current.TestOutputHelper!.WriteLine(line);
            TestContext.Current.SendDiagnosticMessage(line);
            measured.Add((line, stored, peak));
            foreach (var (key, _) in await s3.ListAsync(lab.Bucket))
                await s3.Client.DeleteObjectAsync(lab.Bucket, key, Token);
        }

        Assert.True(
            measured.All(one => one.Stored <= 120L * mebibyte && one.Peak <= 128L * mebibyte),
            string.Join('\n', measured.Select(one => one.Line))
        );
    }

    /// <summary>Starts the server while one request of a kind fails.</summary>
    private static async Task StartWithAsync(
        S3Lab lab,
        Fault fault,
        S3Kind kind,
        System.Collections.Concurrent.ConcurrentQueue<string> faults
    )
    {
        await lab.Server.KillAsync();
        lab.Proxy.Forget();
        var rule = lab.Proxy.Add(fault, kind);
        try
        {
            await lab.Server.StartAgainAsync();
            if (rule.Hits != 1)
                faults.Enqueue($"{fault} of {kind} did not come about");
        }
        catch (InvalidOperationException e)
        {
            faults.Enqueue($"{fault} of {kind}: {e.Message.Split('\n')[0]} {lab.Server.Log.TrimEnd().Split('\n')[^1]}");
            lab.Proxy.Forget();
            await lab.Server.StartAgainAsync();
        }
    }

    private static IEnumerable<Fault> FaultsOf(S3Kind kind)
    {
        Fault[] any =
        [
            Fault.SlowDown,
            Fault.InternalError,
            Fault.ResetBefore,
            Fault.LoseAnswer,
            Fault.Hang,
            Fault.HangAfter,
        ];
        return kind switch
        {
            S3Kind.UploadPart or S3Kind.PutObject => any.Concat([Fault.ResetInBody, Fault.CorruptBody]),
            S3Kind.CompleteMultipart => any.Concat([Fault.ResetInBody, Fault.ErrorInSuccess]),
            _ => any,
        };
    }

    /// <summary>Downloads as far as it goes.</summary>
    private static async Task<(byte[] Received, Exception? Fault)> ReceiveAsync(
        S3Lab lab,
        JsonElement backup,
        bool keep = true
    )
    {
        using var received = new MemoryStream();
        try
        {
            using var response = await lab.Client.Http.GetAsync(
                $"download?snapshot_id={Uri.EscapeDataString(backup.GetProperty("snapshot_id").GetString()!)}",
                HttpCompletionOption.ResponseHeadersRead,
                Token
            );
            response.EnsureSuccessStatusCode();
            await (await response.Content.ReadAsStreamAsync(Token)).CopyToAsync(keep ? received : Stream.Null, Token);
            return (received.ToArray(), null);
        }
        catch (Exception e) when (BrokenConnection.Is(e))
        {
            return (received.ToArray(), e);
        }
    }
}
