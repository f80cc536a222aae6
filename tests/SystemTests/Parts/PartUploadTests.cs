using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SystemTests.Crashes;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.SystemTests.Parts;

/// <summary>Uploads in parts, spoken by hand to a server that stores in a folder.</summary>
public sealed class PartUploadTests(PartServer server) : IClassFixture<PartServer>
{
    private const int PartSize = 1024 * 1024;

    private static readonly Lazy<byte[]> Stream = new(() => PartServer.Noise(40));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("gzip")]
    [InlineData("none")]
    public async Task Parts_in_any_order_and_some_of_them_twice_become_the_stream_that_was_cut(string compression)
    {
        using var client = await server.NewClientAsync();
        var random = RandomTest.Random();
        var cut = CutParts.Cut(Stream.Value, PartSize, random, compression == "gzip");
        var upload = await AnnounceAsync(client, compression);
        var order = cut.Parts.Concat(cut.Parts.Where(_ => random.Next(3) == 0)).OrderBy(_ => random.Next()).ToList();

        await Parallel.ForEachAsync(
            order,
            new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = Token },
            async (part, token) =>
            {
                var answer = await SendAsync(client, part.Request(upload));
                if (answer.Code == "upload_replaced")
                    return; // the same part came once more meanwhile
                Assert.Equal(part.End.FormatWithoutBegin(), answer.MustSucceed().Json.GetProperty("state").GetString());
                Assert.Equal(
                    part.End.StreamOffset - part.Start.StreamOffset,
                    answer.Json.GetProperty("stream_bytes").GetInt64()
                );
            }
        );
        var committed = (await CompleteAsync(client, upload, cut)).MustSucceed();

        var snapshot = committed.Json.GetProperty("snapshot");
        Assert.Equal(cut.Digest, snapshot.GetProperty("parts_sha256").GetString());
        Assert.False(snapshot.TryGetProperty("sha256", out _));
        Assert.Equal(Stream.Value.Length, snapshot.GetProperty("stream_bytes").GetInt64());
        Assert.Equal(
            cut.Stored,
            await client.Http.GetByteArrayAsync(
                $"download?snapshot_id={snapshot.GetProperty("snapshot_id").GetString()}",
                Token
            )
        );
        (await client.RestoreAsync("verify", "all")).MustSucceed();
        Assert.Empty((await client.GetAsync("uploads")).MustSucceed().Json.GetProperty("uploads").EnumerateArray());
    }

    [Fact]
    public async Task The_manifest_tells_the_state_after_each_part()
    {
        using var client = await server.NewClientAsync();
        var cut = CutParts.Cut(Stream.Value, PartSize, new Random(1));
        var upload = await AnnounceAsync(client);
        foreach (var part in cut.Parts)
            (await SendAsync(client, part.Request(upload))).MustSucceed();
        var committed = (await CompleteAsync(client, upload, cut)).MustSucceed();

        var manifest = JsonNode.Parse(
            await File.ReadAllTextAsync(client.ObjectOf(committed) + ".manifest.json", Token)
        )!;
        var parts = manifest["objects"]![0]!["parts"]!.AsArray();
        Assert.Equal(
            cut.Parts.Select(part => part.End.FormatWithoutBegin()),
            parts.Select(part => (string)part!["state"]!)
        );
        Assert.Equal(cut.Parts.Select(part => part.Stored.Length), parts.Select(part => (int)part!["size"]!));
        Assert.Equal(cut.Digest, (string)manifest["parts_sha256"]!);
        Assert.Null(manifest["sha256"]);

        await EarlierManifest.RewriteAsync(client.ObjectOf(committed) + ".manifest.json");
        var verified = (await client.RestoreAsync("verify", "all", "--verbose")).MustSucceed();
        Assert.DoesNotContain("in one go", verified.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_asks_again_is_told_where_the_upload_goes_on_also_after_a_restart()
    {
        using var client = await server.NewClientAsync();
        var cut = CutParts.Cut(Stream.Value, PartSize, new Random(2));
        var fields = Fields();
        var upload = await client.AnnounceAsync(fields);
        foreach (var part in cut.Parts.Take(3).Append(cut.Parts[4]))
            (await SendAsync(client, part.Request(upload))).MustSucceed();
        await server.Process.KillAsync();
        await server.Process.StartAgainAsync();

        var again = (await client.AskAsync(fields.DeepClone().AsObject())).MustSucceed().Json;

        Assert.Equal(upload, again.GetProperty("upload_id").GetString());
        var resume = again.GetProperty("resume");
        Assert.Equal(4, resume.GetProperty("next_part").GetInt32());
        Assert.Equal(cut.Parts[3].StoredOffset, resume.GetProperty("stored_bytes").GetInt64());
        Assert.Equal(cut.Parts[3].Start.StreamOffset, resume.GetProperty("stream_bytes").GetInt64());
        Assert.Equal(cut.Parts[3].Start.Format(), resume.GetProperty("state").GetString());
        Assert.Equal(
            cut.Parts.Take(3).SelectMany(part => SHA256.HashData(part.Stored)),
            await client.Http.GetByteArrayAsync($"upload-stream/{upload}/part-digests", Token)
        );
        Assert.Equal(
            4,
            (await client.GetAsync("uploads"))
                .Json.GetProperty("uploads")[0]
                .GetProperty("resume")
                .GetProperty("next_part")
                .GetInt32()
        );

        // The part behind the gap is forgotten: another run may cut differently there.
        (await CompleteAsync(client, upload, cut)).AssertRefused(
            HttpStatusCode.Conflict,
            "parts_incomplete",
            "3 parts were received, not"
        );
        foreach (var part in cut.Parts.Skip(3))
            (await SendAsync(client, part.Request(upload))).MustSucceed();
        (await CompleteAsync(client, upload, cut)).MustSucceed();
    }

    [Fact]
    public async Task What_is_wrong_with_a_part_is_said_and_nothing_of_it_is_kept()
    {
        using var client = await server.NewClientAsync();
        var cut = CutParts.Cut(Stream.Value, PartSize, new Random(3));
        var (first, second, last) = (cut.Parts[0], cut.Parts[1], cut.Parts[^1]);
        var upload = await AnnounceAsync(client);
        (await SendAsync(client, first.Request(upload))).MustSucceed();
        var before = await client.GetAsync("uploads");

        await AssertRefusedAsync(
            second with
            {
                Stored = Flip(second.Stored, second.Stored.Length / 2),
            },
            request => SetDigest(request, second.ContentDigest),
            HttpStatusCode.UnprocessableEntity,
            "part_damaged",
            "SHA-256"
        );
        await AssertRefusedAsync(
            second with
            {
                Stored = Flip(second.Stored, second.Stored.Length / 2),
            },
            null,
            HttpStatusCode.UnprocessableEntity,
            null
        );
        await AssertRefusedAsync(
            second with
            {
                Stored = second.Stored[..^100],
            },
            null,
            HttpStatusCode.UnprocessableEntity,
            "compression_damaged"
        );
        await AssertRefusedAsync(
            second with
            {
                Stored = [.. second.Stored, 0, 1, 2],
            },
            null,
            HttpStatusCode.UnprocessableEntity,
            "compression_damaged"
        );
        await AssertRefusedAsync(
            second with
            {
                Start = first.Start with { },
            },
            null,
            HttpStatusCode.BadRequest,
            "bad_request",
            "X-Part-Start"
        );
        await AssertRefusedAsync(
            second with
            {
                Start = second.Start with { RecordCount = long.MaxValue },
            },
            null,
            HttpStatusCode.BadRequest,
            "bad_request",
            "X-Part-Start"
        );
        await AssertRefusedAsync(
            second with
            {
                Start = second.End,
            },
            null,
            HttpStatusCode.UnprocessableEntity,
            "stream_damaged",
            "checksum"
        );
        await AssertRefusedAsync(
            second with
            {
                Start = Other(second.Start),
            },
            null,
            HttpStatusCode.UnprocessableEntity,
            "stream_mismatch"
        );
        await AssertRefusedAsync(
            second with
            {
                End = second.Start,
            },
            null,
            HttpStatusCode.UnprocessableEntity,
            "stream_mismatch",
            "ends in the state"
        );
        await AssertRefusedAsync(
            second with
            {
                StoredOffset = second.StoredOffset - 1,
            },
            null,
            HttpStatusCode.Conflict,
            "part_misplaced"
        );
        await AssertRefusedAsync(
            second with
            {
                StoredOffset = 0,
            },
            null,
            HttpStatusCode.BadRequest,
            "bad_request",
            "X-Part-Offset"
        );
        await AssertRefusedAsync(
            second,
            request => request.Headers.Remove("Content-Digest"),
            HttpStatusCode.BadRequest,
            "bad_request",
            "Content-Digest"
        );
        await AssertRefusedAsync(
            second,
            request => SetDigest(request, "sha-256=:AAAA:"),
            HttpStatusCode.BadRequest,
            "bad_request",
            "Content-Digest"
        );
        await AssertRefusedAsync(
            second,
            request => request.Headers.Remove("X-Part-Start"),
            HttpStatusCode.BadRequest,
            "bad_request",
            "X-Part-Start"
        );
        await AssertRefusedAsync(
            second,
            request => request.Headers.TransferEncodingChunked = true,
            HttpStatusCode.LengthRequired,
            "length_required"
        );
        await AssertRefusedAsync(
            second with
            {
                Stored = new byte[PartSize + 19 * 1024 * 1024],
            },
            null,
            HttpStatusCode.RequestEntityTooLarge,
            "part_too_large"
        );
        await AssertRefusedAsync(second with { Number = 0 }, null, HttpStatusCode.BadRequest, "bad_request");
        await AssertRefusedAsync(
            first with
            {
                Stored = CutParts.Cut(Stream.Value, 1, new Random(4)).Parts[0].Stored,
            },
            null,
            HttpStatusCode.BadRequest,
            "bad_request",
            "must have at least 1048576"
        );
        await AssertRefusedAsync(
            last with
            {
                Number = 1,
                StoredOffset = 0,
                Start = ParserState.Start,
            },
            null,
            HttpStatusCode.UnprocessableEntity,
            "stream_damaged"
        );

        Assert.Equal(
            before.Json.GetProperty("uploads")[0].GetProperty("resume").GetRawText(),
            (await client.GetAsync("uploads")).Json.GetProperty("uploads")[0].GetProperty("resume").GetRawText()
        );
        foreach (var part in cut.Parts.Skip(1))
            (await SendAsync(client, part.Request(upload))).MustSucceed();
        (await CompleteAsync(client, upload, cut)).MustSucceed();

        async Task AssertRefusedAsync(
            CutPart part,
            Action<HttpRequestMessage>? change,
            HttpStatusCode status,
            string? code,
            params string[] says
        )
        {
            using var request = part.Request(upload);
            change?.Invoke(request);
            var answer = await SendAsync(client, request);
            answer.AssertRefused(status, code ?? answer.Code!, says);
        }
    }

    [Fact]
    public async Task What_does_not_join_is_never_committed()
    {
        using var client = await server.NewClientAsync();
        var cut = CutParts.Cut(Stream.Value, PartSize, new Random(5));
        var upload = await AnnounceAsync(client);
        (await CompleteAsync(client, upload, cut)).AssertRefused(
            HttpStatusCode.Conflict,
            "parts_incomplete",
            "part 1 is missing"
        );
        foreach (var part in cut.Parts.Where(part => part.Number != 2))
            (await SendAsync(client, part.Request(upload))).MustSucceed();
        (await CompleteAsync(client, upload, cut)).AssertRefused(
            HttpStatusCode.Conflict,
            "parts_incomplete",
            "part 2 is missing"
        );

        // The third part in the place of the second: right by itself, and its state is a true one of this stream.
        var third = cut.Parts[2];
        var misplaced = await SendAsync(
            client,
            (third with { Number = 2, StoredOffset = cut.Parts[1].StoredOffset }).Request(upload)
        );
        if (misplaced.Code != "part_misplaced")
            (await CompleteAsync(client, upload, cut)).AssertRefused(
                HttpStatusCode.Conflict,
                "parts_incomplete",
                "part 2 does not continue"
            );
        (await SendAsync(client, cut.Parts[1].Request(upload))).MustSucceed();
        (await CompleteAsync(client, upload, cut, parts: cut.Parts.Count - 1)).AssertRefused(
            HttpStatusCode.Conflict,
            "parts_incomplete",
            "parts were received"
        );
        (await CompleteAsync(client, upload, cut, digest: new string('0', 64))).AssertRefused(
            HttpStatusCode.Conflict,
            "parts_incomplete",
            "digest"
        );
        (await CompleteAsync(client, upload, cut, bytes: 7)).AssertRefused(
            HttpStatusCode.Conflict,
            "parts_incomplete",
            "bytes of the stream"
        );
        Assert.Empty((await client.GetAsync("snapshots")).Json.GetProperty("snapshots").EnumerateArray());

        (await CompleteAsync(client, upload, cut)).MustSucceed();
        (await CompleteAsync(client, upload, cut)).AssertRefused(HttpStatusCode.NotFound, "not_found");
        Assert.Single((await client.GetAsync("snapshots")).Json.GetProperty("snapshots").EnumerateArray());
    }

    [Fact]
    public async Task Parts_of_two_cuts_join_only_where_both_were_cut()
    {
        using var client = await server.NewClientAsync();
        var one = CutParts.Cut(Stream.Value, PartSize, new Random(6));
        var other = CutParts.Cut(Stream.Value, PartSize, new Random(7));
        var upload = await AnnounceAsync(client);
        foreach (var part in one.Parts)
            (await SendAsync(client, part.Request(upload))).MustSucceed();

        // Its own start, in a place that is the other cut's: the records are right, and those between the two cuts are
        // missing or there twice.
        var answer = await SendAsync(
            client,
            (other.Parts[1] with { StoredOffset = one.Parts[1].StoredOffset }).Request(upload)
        );
        if (answer.Code != "part_misplaced")
            (await CompleteAsync(client, upload, one)).AssertRefused(HttpStatusCode.Conflict, "parts_incomplete");
        (await SendAsync(client, one.Parts[1].Request(upload))).MustSucceed();
        (await CompleteAsync(client, upload, one)).MustSucceed();
    }

    [Fact]
    public async Task Another_client_can_neither_see_nor_touch_the_parts()
    {
        using var client = await server.NewClientAsync();
        using var other = await server.NewClientAsync();
        var cut = CutParts.Cut(Stream.Value, PartSize, new Random(8));
        var upload = await AnnounceAsync(client);
        (await SendAsync(client, cut.Parts[0].Request(upload))).MustSucceed();

        (await SendAsync(other, cut.Parts[1].Request(upload))).AssertRefused(HttpStatusCode.NotFound, "not_found");
        (await CompleteAsync(other, upload, cut)).AssertRefused(HttpStatusCode.NotFound, "not_found");
        (await other.DeleteAsync($"upload-stream/{upload}")).AssertRefused(HttpStatusCode.NotFound, "not_found");
        Assert.Empty((await other.GetAsync("uploads")).Json.GetProperty("uploads").EnumerateArray());
        Assert.Equal(
            HttpStatusCode.Unauthorized,
            (await server.Process.Http.SendAsync(cut.Parts[1].Request(upload), Token)).StatusCode
        );
    }

    [Fact]
    public async Task A_dropped_upload_leaves_nothing_and_a_whole_body_takes_the_place_of_parts()
    {
        using var client = await server.NewClientAsync();
        var cut = CutParts.Cut(Stream.Value, PartSize, new Random(9));
        var before = await client.PictureAsync();
        var upload = await AnnounceAsync(client);
        foreach (var part in cut.Parts)
            (await SendAsync(client, part.Request(upload))).MustSucceed();
        (await client.DeleteAsync($"upload-stream/{upload}")).MustSucceed();
        Assert.Equal(before, await client.PictureAsync());

        upload = await AnnounceAsync(client);
        foreach (var part in cut.Parts.Take(2))
            (await SendAsync(client, part.Request(upload))).MustSucceed();
        var stored = (await client.SendAsync(upload, cut.Stored)).MustSucceed();
        Assert.Equal(cut.Stored, await File.ReadAllBytesAsync(client.ObjectOf(stored), Token));
        (await client.RestoreAsync("verify", "all")).MustSucceed();
        Assert.DoesNotContain(server.Process.StoredFiles(), file => file.Contains(upload, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Whoever_kills_the_server_at_any_moment_loses_no_part_that_was_acknowledged()
    {
        var kills = RandomTest.Count(few: 15, many: 300);
        using var client = await server.NewClientAsync();
        var random = RandomTest.Random();
        var cut = CutParts.Cut(Stream.Value, PartSize, random);
        var fields = Fields();
        var upload = await client.AnnounceAsync(fields);
        var acknowledged = new System.Collections.Concurrent.ConcurrentDictionary<int, bool>();
        var committed = false;
        for (var kill = 0; kill < kills || !committed; kill++)
        {
            var resume = await FindResumeAsync();
            if (resume > 0)
                await RunAsync(kill < kills);
        }

        var backup = (await client.GetAsync("snapshots")).Json.GetProperty("snapshots")[0];
        var id = backup.GetProperty("snapshot_id").GetString();
        Assert.Equal(cut.Stored, await client.Http.GetByteArrayAsync($"download?snapshot_id={id}", Token));
        (await client.RestoreAsync("verify", "all")).MustSucceed();

        // Where it continues; 0 where it is committed.
        async Task<int> FindResumeAsync()
        {
            var answer = await client.AskAsync(fields.DeepClone().AsObject());
            committed = answer.Code == "snapshot_exists";
            if (committed)
                return 0;
            upload = answer.MustSucceed().Json.GetProperty("upload_id").GetString()!;
            var next = answer.Json.TryGetProperty("resume", out var resume)
                ? resume.GetProperty("next_part").GetInt32()
                : 1;
            Assert.True(
                Enumerable.Range(1, cut.Parts.Count + 1).First(number => !acknowledged.ContainsKey(number)) <= next,
                "an acknowledged part is gone"
            );
            foreach (var number in acknowledged.Keys.Where(number => number >= next).ToList())
                acknowledged.TryRemove(number, out _);
            return next;
        }

        async Task RunAsync(bool killing)
        {
            var missing = cut
                .Parts.Where(part => !acknowledged.ContainsKey(part.Number))
                .Take(killing ? 6 : int.MaxValue)
                .ToList();
            var work = Parallel.ForEachAsync(
                missing,
                new ParallelOptions { MaxDegreeOfParallelism = 3, CancellationToken = Token },
                async (part, token) =>
                {
                    if ((await SendAsync(client, part.Request(upload))).Status == HttpStatusCode.OK)
                        acknowledged[part.Number] = true;
                }
            );
            if (killing)
            {
                await Task.Delay(random.Next(400), Token);
                await server.Process.KillAsync();
                await ((Task)work).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                await server.Process.StartAgainAsync();
                return;
            }

            await work;
            var completing = CompleteAsync(client, upload, cut);
            if (random.Next(2) == 0)
            {
                await Task.Delay(random.Next(30), Token);
                await server.Process.KillAsync();
                await ((Task)completing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                await server.Process.StartAgainAsync();
                return;
            }

            (await completing).MustSucceed();
            committed = true;
        }
    }

    private static JsonObject Fields(string compression = "gzip") =>
        new()
        {
            ["dataset_name"] = "tank/data",
            ["snapshot_guid"] = $"{PartServer.Guid}",
            ["incremental"] = false,
            ["compression"] = compression,
        };

    private static Task<string> AnnounceAsync(Uploader client, string compression = "gzip") =>
        client.AnnounceAsync(Fields(compression));

    private static async Task<Answer> SendAsync(Uploader client, HttpRequestMessage request)
    {
        using (request)
            return await Answer.ReadAsync(await client.Http.SendAsync(request, Token));
    }

    private static Task<Answer> CompleteAsync(
        Uploader client,
        string upload,
        CutParts cut,
        int? parts = null,
        string? digest = null,
        long? bytes = null
    ) => client.CompleteAsync(upload, parts ?? cut.Parts.Count, bytes ?? cut.Stream.Length, digest ?? cut.Digest);

    private static void SetDigest(HttpRequestMessage request, string digest)
    {
        request.Headers.Remove("Content-Digest");
        request.Headers.Add("Content-Digest", digest);
    }

    private static byte[] Flip(byte[] bytes, int at)
    {
        var flipped = bytes.ToArray();
        flipped[at] ^= 0x10;
        return flipped;
    }

    private static ParserState Other(ParserState state) =>
        state with
        {
            Begin = state.Begin! with { SnapshotGuid = 1 },
            Snapshot = state.Snapshot! with { SnapshotGuid = 1 },
        };
}

/// <summary>A server with small parts, and streams to cut.</summary>
public sealed class PartServer : IAsyncLifetime
{
    public const ulong Guid = 77;

    private int _clients;

    internal ServerProcess Process { get; private set; } = null!;

    public async ValueTask InitializeAsync() =>
        Process = await ServerProcess.StartAsync(new Dictionary<string, string> { ["PART_SIZE_MIB"] = "1" });

    public ValueTask DisposeAsync() => Process.DisposeAsync();

    internal Task<Uploader> NewClientAsync() =>
        Uploader.CreateAsync(Process, $"client{Interlocked.Increment(ref _clients)}");

    /// <summary>A right stream whose data do not compress.</summary>
    internal static byte[] Noise(int blocks)
    {
        var builder = new StreamBuilder().Begin(Guid).Object(1, bonus: []);
        for (var block = 0; block < blocks; block++)
            builder = builder.Write(1, (ulong)block * 131072, StreamBuilder.Noise(131072, block + 1));
        return builder.End().ToArray();
    }
}
