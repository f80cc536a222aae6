using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.SystemTests.Trust;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>
/// Memory hardly grows with the number of backups and of their parts: 50,000 backups and 10 TB in parts of 8 MiB need
/// less than 96 MiB. On the stand-in for <c>zfs</c>.
/// </summary>
public sealed class ManyBackupsMemoryTests
{
    private const long Most = 96L << 20;
    private const int Backups = 50_000;
    private const int Parts = 1_250_000;
    private const int PartSize = 8 * 1024 * 1024;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Fifty_thousand_backups_are_listed_restored_and_continued_in_little_memory()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        await client.ShellAsync($"zfs stand-in write-compressible {client.Area}/data file 40000000");
        (await client.RunAsync($"zfs-client backup --dataset {client.Area}/data")).MustSucceed();
        AddRows(server);
        await client.ShellAsync($"zfs stand-in write-compressible {client.Area}/data more 40000000");

        var backup = await PeakAsync(client, "zfs-client", $"backup-incremental --dataset {client.Area}/data");
        var list = await PeakAsync(client, "zfs-restore", "list");
        var verify = await PeakAsync(client, "zfs-restore", "verify 1");
        var restore = await PeakAsync(client, "zfs-restore", $"restore 1 {client.Area}/restored");

        Print($"{Backups} backups: backup {backup}, list {list}, verify {verify}, restore {restore}");
        Assert.Equal(Backups + 2, (await client.ListBackupsAsync()).Length);
        Assert.InRange(Math.Max(Math.Max(backup, list), Math.Max(verify, restore)), 4, Most >> 20);
    }

    [Fact]
    public async Task Ten_terabytes_in_parts_are_read_in_little_memory()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        using var made = new MadeServer();
        await client.WriteSettingsAsync($"SERVER_URL={made.Url}", "RETRY_TIME=0");

        foreach (var command in (string[])["verify 1 --verbose", $"restore 1 {client.Area}/restored --verbose"])
        {
            // The parts are zeros: it fails at the first record, when the manifest is read and all lanes fetch.
            var (peak, printed) = await PeakMemory.OfAsync(client, "zfs-restore", command, exitCode: 7);

            Print($"{Parts} parts: {command} {peak >> 20}");
            Assert.Contains("expected the BEGIN record", printed, StringComparison.Ordinal);
            Assert.DoesNotContain("in one go", printed, StringComparison.Ordinal);
            Assert.InRange(peak, 4 << 20, Most);
        }
    }

    /// <summary>A real upload of a few parts, of which the server says that 10 TB were stored before.</summary>
    [Fact]
    public async Task An_upload_of_ten_terabytes_in_parts_resumes_in_little_memory()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost());
        await lab.InterruptAsync("KILL", 137);
        await using var far = new LyingServer(lab.Server.Port);
        var digests = new byte[Parts * SHA256.HashSizeInBytes];
        far.Changes["GET upload-stream/*/part-digests"] = _ => digests;
        far.Changes["GET uploads"] = body => Change(body, answer => answer["uploads"]?[0]?["resume"]);
        far.Changes["POST upload"] = body => Change(body, answer => answer["resume"]);
        await lab.SetAsync($"SERVER_URL=http://127.0.0.1:{far.Port}", "RETRY_TIME=0");

        // The real server misses the parts at the end, when all is read and sent.
        var (peak, printed) = await PeakMemory.OfAsync(lab.Client, "zfs-client", "backup", exitCode: 9);

        Print($"{Parts} parts: resumed upload {peak >> 20}");
        Assert.Contains("resuming the interrupted upload", printed, StringComparison.Ordinal);
        Assert.Contains("is missing", printed, StringComparison.Ordinal);
        Assert.InRange(peak, 4 << 20, Most);

        static byte[] Change(byte[] body, Func<JsonNode, JsonNode?> find)
        {
            var answer = JsonNode.Parse(body)!;
            if (find(answer) is { } resume)
            {
                resume["next_part"] = Parts + 1;
                resume["stored_bytes"] = (long)PartSize * Parts;
            }

            return Encoding.UTF8.GetBytes(answer.ToJsonString());
        }
    }

    private static async Task<long> PeakAsync(ClientMachine client, string program, string arguments) =>
        (await PeakMemory.OfAsync(client, program, arguments)).Peak >> 20;

    private static void Print(string figures)
    {
        TestContext.Current.TestOutputHelper!.WriteLine($"peak memory in MiB, {figures}");
        Console.WriteLine($"peak memory in MiB, {figures}");
    }

    /// <summary>Copies the only backup's row under other names, as incrementals of 200 datasets.</summary>
    private static void AddRows(ServerProcess server)
    {
        using var connection = new SqliteConnection(
            $"Data Source={Path.Combine(server.DataFolder, "metadata.db")};Pooling=False"
        );
        connection.Open();
        using var columns = connection.CreateCommand();
        columns.CommandText = "SELECT name FROM pragma_table_info('backups')";
        List<string> names = [];
        using (var rows = columns.ExecuteReader())
            while (rows.Read())
                names.Add(rows.GetString(0));
        var values = names.Select(name =>
            name switch
            {
                "snapshot_id" => "snapshot_id || '-' || n",
                "storage_key" => "replace(storage_key, '.zfs', '-' || n || '.zfs')",
                "dataset_name" => "dataset_name || '/number' || (n % 200)",
                "snapshot_name" => "snapshot_name || '-' || n",
                "snapshot_guid" => "CAST(1000000 + n AS TEXT)",
                "from_guid" => "CASE WHEN n >= 200 THEN CAST(1000000 + n - 200 AS TEXT) ELSE '' END",
                "parts_sha256" => "lower(hex(randomblob(32)))",
                _ => name,
            }
        );
        using var insert = connection.CreateCommand();
        insert.CommandText =
            $"WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {Backups}) "
            + $"INSERT INTO backups ({string.Join(", ", names)}) SELECT {string.Join(", ", values)} "
            + "FROM backups, numbers";
        Assert.Equal(Backups, insert.ExecuteNonQuery());
    }

    /// <summary>
    /// Answers like a server that has one backup in very many parts, which no test can store: each part is the same.
    /// </summary>
    private sealed class MadeServer : IDisposable
    {
        private const string Key = "c1/tank_data_2026-11-23_04:58:52";
        private const int PartsOfObject = 10_000;

        private readonly HttpListener _listener = new();
        private readonly byte[] _part = new byte[PartSize];
        private readonly string _partDigest;
        private readonly string _partsDigest;

        public MadeServer()
        {
            var digest = SHA256.HashData(_part);
            _partDigest = Convert.ToHexStringLower(digest);
            using var all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            for (var number = 0; number < Parts; number++)
                all.AppendData(digest);
            _partsDigest = Convert.ToHexStringLower(all.GetHashAndReset());
            Url = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{LocalHttp.Listen(_listener)}/");
            _ = AnswerAllAsync();
        }

        public string Url { get; }

        private static string Fields =>
            """
                "dataset_name":"tank/data","snapshot_name":"one","snapshot_guid":"7","dataset_type":"filesystem",
                "timestamp":"2026-11-23T04:42:16+00:00","received_at":"2026-11-23T04:58:52+00:00",
                "compression":"none","raw":false,"features":["SaSpill"],"send_flags":["-L"],
                """;

        public void Dispose() => _listener.Close();

        private async Task AnswerAllAsync()
        {
            while (_listener.IsListening)
            {
                try
                {
                    var context = await _listener.GetContextAsync();
                    _ = AnswerAsync(context);
                }
                catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
                {
                    return;
                }
            }
        }

        private async Task AnswerAsync(HttpListenerContext context)
        {
            try
            {
                var path = context.Request.Url!.AbsolutePath;
                if (path == "/snapshots")
                    await WriteAsync(context, List());
                else if (path.EndsWith("/manifest", StringComparison.Ordinal))
                    await WriteManifestAsync(context);
                else
                    await WritePartAsync(context);
                context.Response.Close();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or IOException)
            {
                // The client has seen enough.
            }
        }

        private string List() =>
            $$"""
                {"success":true,"message":"Backups: 1","snapshots":[{
                "snapshot_id":"{{Key}}","storage_key":"{{Key}}.zfs",
                {{Fields}}{{Sizes}},"snapshot_type":"manual","storage_type":"s3"}]}
                """;

        private string Sizes =>
            $"\"size_bytes\":{(long)PartSize * Parts},\"stream_bytes\":{(long)PartSize * Parts},"
            + $"\"parts_sha256\":\"{_partsDigest}\"";

        private async Task WriteManifestAsync(HttpListenerContext context)
        {
            context.Response.SendChunked = true;
            await WriteAsync(
                context,
                $"{{\"format_version\":1,\"upload_id\":\"u\",\"client_id\":\"c1\",\"from_guid\":null,{Fields}"
                    + $"{Sizes.Replace("size_bytes", "stored_bytes", StringComparison.Ordinal)},\"record_count\":3,"
                    + "\"end_checksum\":\"1:2:3:4\",\"objects\":["
            );
            var part = $"{{\"size\":{PartSize},\"sha256\":\"{_partDigest}\",\"state\":null}}";
            var parts = Encoding.ASCII.GetBytes(string.Join(",\n", Enumerable.Repeat(part, PartsOfObject)));
            for (var number = 0; number < Parts / PartsOfObject; number++)
            {
                var suffix = number == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $".{number + 1:0000}");
                await WriteAsync(
                    context,
                    $"{(number == 0 ? "" : ",")}{{\"key\":\"{Key}.zfs{suffix}\","
                        + $"\"size\":{(long)PartSize * PartsOfObject},\"parts\":["
                );
                await context.Response.OutputStream.WriteAsync(parts, Token);
                await WriteAsync(context, "]}");
            }

            await WriteAsync(context, "]}");
        }

        private async Task WritePartAsync(HttpListenerContext context)
        {
            var range = context.Request.Headers["Range"]!["bytes=".Length..].Split('-');
            var (first, last) = (
                long.Parse(range[0], CultureInfo.InvariantCulture),
                long.Parse(range[1], CultureInfo.InvariantCulture)
            );
            context.Response.StatusCode = 206;
            context.Response.AddHeader("Content-Range", $"bytes {first}-{last}/{(long)PartSize * Parts}");
            context.Response.ContentLength64 = last - first + 1;
            await context.Response.OutputStream.WriteAsync(_part.AsMemory(0, (int)(last - first + 1)), Token);
        }

        private static async Task WriteAsync(HttpListenerContext context, string text) =>
            await context.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(text), Token);
    }
}
