using System.Net;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.SystemTests.Parts;

/// <summary>
/// Nobody waits for a stranger: clients that are dead, slow or hostile hold what they hold, and another client's upload
/// goes through as if they were not there.
/// </summary>
public sealed class StrangersTests
{
    private const int Mebibyte = 1024 * 1024;
    private const int PartSize = 8 * Mebibyte;

    private static readonly Lazy<CutParts> Large = new(() => CutParts.Cut(Noise(512), PartSize, new Random(1), false));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_upload_does_not_wait_for_dead_trickling_and_stalled_clients()
    {
        await using var server = await ServerProcess.StartAsync();
        using var ours = await Uploader.CreateAsync(server, "ours");
        var start = TimeProvider.System.GetTimestamp();
        await UploadAsync(ours, "tank/alone");
        var tookAlone = TimeProvider.System.GetElapsedTime(start);
        var alone = server.PeakMemory();
        using var strangers = new Strangers(server);
        await strangers.StallDownloadsAsync("reader", 30);
        await strangers.StallDownloadsAsync("another-reader", 30);
        for (var client = 0; client < 4; client++)
            await strangers.SendHalfAPartAsync($"dead{client}", trickles: false);
        for (var client = 0; client < 4; client++)
            await strangers.SendHalfAPartAsync($"slow{client}", trickles: true);

        start = TimeProvider.System.GetTimestamp();
        await UploadAsync(ours, "tank/among-strangers");

        var took = TimeProvider.System.GetElapsedTime(start);
        var peak = server.PeakMemory();
        TestContext.Current.SendDiagnosticMessage(
            $"64 MiB: {tookAlone.TotalSeconds:0.0} s alone, {took.TotalSeconds:0.0} s among strangers; peak "
                + $"{alone / Mebibyte} MiB alone, {peak / Mebibyte} MiB with them"
        );
        // A part that had to wait for a stranger would be told "server_busy" after 30 s, which is a failure above.
        Assert.InRange(took, TimeSpan.Zero, Patience.Of(25));
        // Four parts of ours, eight of strangers and four for downloads have 8 MiB each; the rest is the program.
        Assert.InRange(peak, 0, 192 * Mebibyte);
        Assert.InRange(peak - alone, long.MinValue, 112 * Mebibyte);
    }

    [Fact]
    public async Task A_part_that_stands_still_loses_its_slot_only_when_slots_are_short()
    {
        await using var server = await ServerProcess.StartAsync();
        using var ours = await Uploader.CreateAsync(server, "ours");
        using var strangers = new Strangers(server);
        var slow = await strangers.SendHalfAPartAsync("slow", trickles: false);
        await Task.Delay(Limits.StalledPartAfter + TimeSpan.FromSeconds(1), Token);

        await UploadAsync(ours, "tank/among-free-slots"); // more parts at once than there are slots for quick ones
        await slow.SendAsync(Large.Value.Parts[0].Stored.AsMemory(1));

        Assert.Equal("HTTP/1.1 200 OK", await slow.ReadLineAsync());
        var first = await strangers.SendHalfAPartAsync("dead", trickles: false);
        for (var further = 0; further < 11; further++)
            await strangers.SendHalfAPartAsync("dead", trickles: false);

        await UploadAsync(ours, "tank/short-of-slots");

        Assert.Equal("HTTP/1.1 503 Service Unavailable", await first.ReadLineAsync());
        await server.MustLogAsync("The part arrived very slowly");
    }

    [Fact]
    public async Task A_download_that_nobody_reads_is_cut_off_in_the_end()
    {
        await using var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["DOWNLOAD_IDLE_TIMEOUT"] = "2" }
        );
        using var client = await Uploader.CreateAsync(server);
        var stored = await UploadAsync(client, "tank/data");
        using var connection = await RawConnection.OpenAsync(server);

        await connection.GetAsync(client, $"download?snapshot_id={stored}");
        await server.MustLogAsync("was cut off: The client read nothing for 2 s");

        Assert.InRange(await connection.ReadToEndAsync(), 1, Large.Value.Stored.Length / 2);
    }

    [Fact]
    public async Task A_download_that_pauses_goes_on_with_the_same_bytes()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var stored = await UploadAsync(client, "tank/data");
        using var strangers = new Strangers(server);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"download?snapshot_id={stored}");
        using var response = await client.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
        await using var body = await response.Content.ReadAsStreamAsync(Token);
        var content = new byte[Large.Value.Stored.Length];

        await body.ReadExactlyAsync(content.AsMemory(0, 1000), Token);
        await strangers.StallDownloadsAsync("reader", 12); // its memory is theirs meanwhile
        await body.ReadExactlyAsync(content.AsMemory(1000), Token);

        Assert.Equal(Large.Value.Stored, content);
    }

    [Fact]
    public async Task One_client_holds_no_more_than_half_of_the_slots_for_streams_in_one_body()
    {
        await using var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["MAX_UPLOADS"] = "4" }
        );
        using var greedy = await Uploader.CreateAsync(server, "greedy");
        using var modest = await Uploader.CreateAsync(server, "modest");
        using var first = await BeginAsync("tank/data1");
        using var second = await BeginAsync("tank/data2");
        var waiting = await greedy.AnnounceAsync(Fields("tank/data3"));
        var third = greedy.SendAsync(waiting, Recorded.Plain("full"));
        await greedy.WaitForReceivingAsync(waiting);

        (await modest.StoreAsync(Recorded.Plain("full"))).MustSucceed();

        Assert.False(third.IsCompleted);
        first.Dispose();
        (await third).MustSucceed();

        async Task<RawConnection> BeginAsync(string dataset) =>
            await RawConnection.BeginUploadAsync(server, greedy, await greedy.AnnounceAsync(Fields(dataset)));
    }

    [Fact]
    public async Task An_upload_has_one_part_with_the_end_of_the_stream()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var stream = new StreamBuilder().Begin(7).Object(1, bonus: []).End().ToArray();
        var part = Assert.Single(CutParts.Cut(stream, PartSize, new Random(1), gzip: false).Parts);
        var upload = await client.AnnounceAsync(Fields("tank/data"));
        (await client.SendPartAsync(upload, part)).MustSucceed();

        // A last part may be small, and any number of them would be any number of rows for next to no bytes.
        var second = part with { Number = 3, StoredOffset = 1000 };
        var parser = new ZfsSnapshotManager.SendStream.SendStreamParser();
        ReadOnlySpan<byte> rest = stream;
        parser.Read(ref rest, out _);
        parser.Read(ref rest, out _);
        var at = stream.Length - rest.Length;
        second = second with { Start = parser.State, Stored = stream[at..] };
        (await client.SendPartAsync(upload, second)).AssertRefused(
            HttpStatusCode.Conflict,
            "part_misplaced",
            "the stream's END"
        );
    }

    private static async Task<string> UploadAsync(Uploader client, string dataset)
    {
        var cut = Large.Value;
        var upload = await client.AnnounceAsync(Fields(dataset));
        await Parallel.ForEachAsync(
            cut.Parts,
            new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = Token },
            async (part, _) => (await client.SendPartAsync(upload, part)).MustSucceed()
        );
        var committed = (await client.CompleteAsync(upload, cut)).MustSucceed();
        return committed.Json.GetProperty("snapshot").GetProperty("snapshot_id").GetString()!;
    }

    private static JsonObject Fields(string dataset) => new() { ["dataset_name"] = dataset, ["compression"] = "none" };

    private static byte[] Noise(int blocks) => PartServer.Noise(blocks);

    /// <summary>Other clients, of whom nothing good comes.</summary>
    private sealed class Strangers(ServerProcess server) : IDisposable
    {
        private readonly CancellationTokenSource _end = new();
        private readonly List<IDisposable> _connections = [];
        private readonly Dictionary<string, Uploader> _clients = new(StringComparer.Ordinal);

        public async Task<RawConnection> SendHalfAPartAsync(string name, bool trickles)
        {
            if (!_clients.TryGetValue(name, out var client))
                _clients[name] = client = await Uploader.CreateAsync(server, name);
            var upload = await client.AnnounceAsync(Fields($"tank/data{_connections.Count}"));
            var connection = await RawConnection.OpenAsync(server);
            _connections.Add(connection);
            var part = Large.Value.Parts[0];
            await connection.BeginPartAsync(client, upload, part, bytes: 1);
            if (trickles)
                _ = TrickleAsync(connection, part.Stored);
            return connection;
        }

        /// <summary>
        /// Begins downloads of a backup that the client stores for it, and reads no more than their first line. They
        /// take turns; this returns when the first one has begun.
        /// </summary>
        public async Task StallDownloadsAsync(string name, int count)
        {
            var client = _clients[name] = await Uploader.CreateAsync(server, name);
            var backup = await UploadAsync(client, "tank/data");
            List<RawConnection> downloads = [];
            for (var download = 0; download < count; download++)
            {
                var connection = await RawConnection.OpenAsync(server);
                downloads.Add(connection);
                _connections.Add(connection);
                await connection.GetAsync(client, $"download?snapshot_id={backup}");
            }

            var first = await Task.WhenAny(downloads.Select(download => download.ReadLineAsync()));
            Assert.Equal("HTTP/1.1 200 OK", await first);
        }

        public void Dispose()
        {
            _end.Cancel();
            _connections.ForEach(connection => connection.Dispose());
            foreach (var client in _clients.Values)
                client.Dispose();
            _end.Dispose();
        }

        private async Task TrickleAsync(RawConnection connection, byte[] bytes)
        {
            try
            {
                for (var sent = 1; !_end.IsCancellationRequested; sent++)
                {
                    await connection.SendAsync(bytes.AsMemory(sent, 1));
                    await Task.Delay(TimeSpan.FromMilliseconds(100), Token);
                }
            }
            catch (Exception e) when (e is System.Net.Sockets.SocketException or ObjectDisposedException)
            {
                // The server has lost patience, or the test is over.
            }
        }
    }
}
