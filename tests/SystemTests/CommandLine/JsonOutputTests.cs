using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Backups;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.UnitTests.Documentation;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.SystemTests.CommandLine;

/// <summary>
/// What every command of the three programs prints with <c>--json</c>, compared with docs/json.md. On the stand-in for
/// <c>zfs</c>; only <c>mount</c> needs real ZFS (RestoreTests).
/// </summary>
public sealed class JsonOutputTests : IDisposable
{
    private const long LargestExactNumber = 1L << 53;

    /// <summary>Fields whose own fields are names of properties, records or whatever an event is about.</summary>
    private static readonly string[] Dictionaries = ["details", "records", "skipped"];

    private readonly JsonTables _tables = new(Repository.Root);
    private readonly StandInHost _host = new();
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private readonly string _folder = Repository.NewFolder("json");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Every_command_prints_what_the_document_says()
    {
        await using var lab = await BackupLab.CreateAsync(_host);
        await RunClientAsync(lab);
        await RunRestoreAsync(lab.Client);
        await RunStreamAsync();
        await RunServerAsync(lab.Server, lab.Client);

        Assert.Equal(["zfs-restore mount"], _tables.Commands.Except(_seen, StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("zfs-client backup --json --wrong", 2, "usage")]
    [InlineData("zfs-client wrong --json", 2, "usage")]
    [InlineData("KEEP_DAILY=many zfs-client rotate --json", 3, "configuration")]
    [InlineData("API_KEY=wrong zfs-client status --json", 5, "unauthorized")]
    [InlineData("SERVER_URL=http://127.0.0.1:9 RETRY_TIME=0 zfs-restore list --json", 4, "unreachable")]
    [InlineData("zfs-restore restore 7 tank/restored --json", 8, "not_found")]
    [InlineData("zfs-restore stream verify .env --json", 7, "damaged")]
    [InlineData("zfs-server client show nobody --json", 8, "not_found")]
    public async Task A_failure_has_the_same_shape(string line, int exitCode, string code)
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(_host, server, "data");

        var result = line.StartsWith("zfs-server ", StringComparison.Ordinal)
            ? await server.RunAsync(line.Split(' ')[1..])
            : await client.RunAsync(line);

        Assert.True(result.ExitCode == exitCode, result.Text);
        var report = CommandJson.Parse(result.Output);
        Assert.Empty(report.GetProperty("results").EnumerateArray());
        var failure = Assert.Single(report.GetProperty("failures").EnumerateArray());
        Assert.Equal(code, failure.GetProperty("code").GetString());
        // Also on standard error: standard output may be a file that nobody reads.
        Assert.Contains(failure.GetProperty("message").GetString()!, result.Error, StringComparison.Ordinal);
    }

    private async Task RunClientAsync(BackupLab lab)
    {
        var client = lab.Client;
        _host.CrashSend(6 << 20);
        Assert.Equal(6, (await client.RunAsync("zfs-client backup")).ExitCode);
        _host.CrashSend(null);
        var resumed = await CheckAsync(client, "zfs-client backup");
        Assert.True(Assert.Single(resumed).TryGetProperty("resumed", out _));
        await CheckAsync(client, "zfs-client backup-full --dry-run");
        await CheckAsync(client, "zfs-client backup-full");
        await client.WriteAsync("data", ("more", 100_000));
        await CheckAsync(client, "zfs-client backup-incremental");
        await CheckAsync(client, "zfs-client snapshot daily --send");
        await CheckAsync(client, "zfs-client snapshot hourly");
        await CheckAsync(client, "zfs-client rotate --dry-run");
        await CheckAsync(client, "zfs-client rotate-remote --dry-run");
        await CheckAsync(client, "zfs-client status");
        await CheckAsync(client, "zfs-client bookmarks");
        await CheckAsync(client, "zfs-client doctor");
    }

    private async Task RunRestoreAsync(ClientMachine client)
    {
        await CheckAsync(client, "zfs-restore list");
        await CheckAsync(client, $"zfs-restore restore 1 {client.Area}/one");
        await CheckAsync(client, $"zfs-restore latest {client.Area}/all --recursive --properties");
        await CheckAsync(client, "zfs-restore save 1 saved");
        await CheckAsync(client, "zfs-restore verify all");
        await CheckAsync(client, $"zfs-restore doctor {client.Area}/new");
    }

    private async Task RunStreamAsync()
    {
        var full = Recorded.PathOf("full");
        var cut = Path.Combine(_folder, "cut.zfs");
        var whole = Recorded.Plain("full");
        await File.WriteAllBytesAsync(cut, whole[..(whole.Length * 9 / 10)], TestContext.Current.CancellationToken);
        foreach (
            var line in (string[])
                [
                    $"info {full}",
                    $"verify {full}",
                    $"resume-token {cut}",
                    $"merge {full} {Recorded.PathOf("incremental-1")} -o merged",
                    $"splice {cut} {Recorded.PathOf("resumed")} -o spliced",
                    $"resume-receive {RecordedStream.All["resumed.zfs.gz"].Token} {full} -o rest",
                ]
        )
            Check(
                $"zfs-restore stream {line.Split(' ')[0]}",
                await Command.RunAsync(
                    Repository.Program("zfs-restore"),
                    ["stream", .. line.Split(' '), "--json"],
                    _folder
                )
            );
    }

    private async Task RunServerAsync(ServerProcess server, ClientMachine client)
    {
        var id = (await client.ListBackupsAsync())[0].GetProperty("snapshot_id").GetString()!;
        foreach (
            var line in (string[])
                [
                    "client add other",
                    "client list",
                    $"client show {client.Id}",
                    "client set other --max-size 10G --keep-daily 3",
                    "client disable other",
                    "client enable other",
                    "client rotate-key other",
                    "client show other",
                    "client remove other --yes",
                    "backup list",
                    $"backup show {id}",
                    $"backup pin {id}",
                    $"backup unpin {id}",
                    $"backup keep {id}",
                    "jobs list",
                    "jobs show expire",
                    "jobs cancel clean-up",
                    "jobs run clean-up",
                    "storage probe",
                    "catalogue check",
                    "audit",
                    "doctor",
                ]
        )
            await CheckAsync(server, line);
        await server.StopAsync();
        await CheckAsync(server, "catalogue rebuild");
    }

    private async Task CheckAsync(ServerProcess server, string line) =>
        Check(
            string.Join(' ', line.Split(' ').TakeWhile((_, index) => index < CountWords(line)).Prepend("zfs-server")),
            await server.RunAsync([.. line.Split(' '), "--json"])
        );

    private static int CountWords(string line) => line is "audit" or "doctor" ? 1 : 2;

    private async Task<JsonElement[]> CheckAsync(ClientMachine client, string line) =>
        Check(string.Join(' ', line.Split(' ')[..2]), await client.RunAsync($"{line} --json"));

    private JsonElement[] Check(string command, CommandResult result)
    {
        _seen.Add(command);
        var report = CommandJson.Parse(result.Output);
        Assert.True(report.GetProperty("success").GetBoolean() == (result.ExitCode == 0), $"{command}: {result.Text}");
        JsonElement[] results = [.. report.GetProperty("results").EnumerateArray()];
        Assert.True(results.Length > 0, $"{command}: {result.Text}");
        var row = _tables.Find(command);
        foreach (var element in results)
        {
            Assert.Equal(JsonValueKind.Object, element.ValueKind);
            if (row.Fields is not null)
                Assert.Empty(element.EnumerateObject().Select(field => field.Name).Except(row.Fields));
            CheckValue(command, row, element);
        }

        return results;
    }

    private static void CheckValue(string command, JsonTableRow row, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var field in value.EnumerateObject())
                {
                    Assert.True(row.Known.Contains(field.Name), $"{command}: '{field.Name}' is not documented");
                    if (!Dictionaries.Contains(field.Name, StringComparer.Ordinal))
                        CheckValue(command, row, field.Value);
                }

                break;
            case JsonValueKind.Array:
                foreach (var element in value.EnumerateArray())
                    CheckValue(command, row, element);
                break;
            case JsonValueKind.Number:
                Assert.InRange(value.GetInt64(), -LargestExactNumber, LargestExactNumber);
                break;
            default:
                Assert.NotEqual(JsonValueKind.Null, value.ValueKind);
                break;
        }
    }
}
