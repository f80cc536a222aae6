using System.Diagnostics;
using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>
/// A client with backups of some size in small parts, and what tests of interrupted restores do with it.
/// </summary>
internal sealed class RestoreLab : IAsyncDisposable
{
    /// <summary>So few kills may all fall where there is nothing to resume.</summary>
    private const int FewKills = 5;

    private RestoreLab(ServerProcess server, ClientMachine client, string dataset) =>
        (Server, Client, Source) = (server, client, dataset);

    public ServerProcess Server { get; }

    public ClientMachine Client { get; }

    /// <summary>The dataset that was backed up.</summary>
    public string Source { get; }

    public string Target => $"{Client.Area}/restored";

    public string Partial => $"{Target}.restoring";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <param name="host">Where the client runs.</param>
    /// <param name="make">Shell that makes the dataset AREA/data, and what is in it; null: one of 14 MB.</param>
    /// <param name="inParts">False: the backup is sent in one body, and the server's parts begin anywhere in
    /// it.</param>
    public static async Task<RestoreLab> CreateAsync(ClientHost host, string? make = null, bool inParts = true)
    {
        var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["PART_SIZE_MIB"] = "1",
                ["DELETE_DELAY_HOURS"] = "0",
            }
        );
        var client = await ClientMachine.CreateAsync(host, server);
        var lab = new RestoreLab(server, client, $"{client.Area}/data");
        if (make is not null)
        {
            await client.ShellAsync(make.Replace("AREA", client.Area, StringComparison.Ordinal));
        }
        else
        {
            await client.ShellAsync($"zfs create {lab.Source}");
            await client.WriteAsync(
                "data",
                [("large", 12 << 20), .. Enumerable.Range(1, 100).Select(number => ($"file{number}", 20_000L))]
            );
        }

        if (inParts)
            await lab.BackUpAsync();
        else
            await lab.BackUpAsWholeAsync();
        return lab;
    }

    public Task BackUpAsync() => Client.ResultsAsync("zfs-client backup");

    /// <summary>So that interruptions also fall between two backups, and into the second.</summary>
    public async Task AddIncrementalAsync()
    {
        await Client.WriteAsync("data", ("more", 8 << 20));
        for (var number = 10; number < 20; number++)
            await Client.Host.RemoveAsync(Source, $"file{number}");
        await BackUpAsync();
    }

    /// <summary>Settings of the client, besides those that every one has.</summary>
    public Task SetAsync(params string[] settings) =>
        Client.WriteSettingsAsync([$"LOCAL_DATASET={Source}", .. settings]);

    public Process StartRestore(string options = "") => Client.Start($"exec zfs-restore latest {Target} {options}");

    /// <summary>How long an undisturbed restore takes; it is undone.</summary>
    public async Task<TimeSpan> MeasureAsync()
    {
        var start = TimeProvider.System.GetTimestamp();
        await Client.JsonAsync($"zfs-restore latest {Target}");
        var taken = TimeProvider.System.GetElapsedTime(start);
        await UndoAsync();
        return taken;
    }

    public Task<string> UndoAsync() => Client.ShellAsync($"zfs destroy -r {Target}");

    /// <summary>SIGKILL for the restore that runs.</summary>
    public Task KillRestoreAsync() => Client.KillAsync("zfs-restore");

    /// <summary>Waits until there is something to go on with.</summary>
    public Task WaitForTokenAsync() =>
        Patience.UntilAsync("something was received", async () =>
            await Client.ShellAsync($"zfs get -H -o value receive_resume_token {Partial} 2>/dev/null || true")
                is not ("" or "-")
        );

    /// <summary>A network through which a restore takes some seconds, whatever the machine.</summary>
    public TcpProxy SlowDown() =>
        new(Server.Port)
        {
            Fault = NetworkFault.Delay,
            Lateness = TimeSpan.FromMilliseconds(Client.Host is StandInHost ? 25 : 150),
        };

    /// <summary>Starts a restore, and ends it when something was received, and not all.</summary>
    /// <returns>The restore, which has ended.</returns>
    public async Task<Process> InterruptAsync(string signal, string options = "")
    {
        await using var proxy = SlowDown();
        await SetAsync($"SERVER_URL=http://{Client.Host.ServerAddress}:{proxy.Port}");
        var restore = StartRestore(options);
        await Patience.UntilAsync("half of it came", () => proxy.ToClient > 8 << 20);
        proxy.Fault = NetworkFault.Silence; // however long the kill takes, nothing more comes
        await Client.KillAsync("zfs-restore", signal);
        await restore.WaitForExitAsync(Token);
        await SetAsync();
        await WaitForTokenAsync();
        return restore;
    }

    /// <summary>Waits for the end of a restore that was started with <c>--json</c>.</summary>
    /// <returns>Whether it succeeded, and resumed another.</returns>
    public static async Task<bool> WasResumedAsync(Process restore)
    {
        var output = await restore.StandardOutput.ReadToEndAsync(Token);
        await restore.WaitForExitAsync(Token);
        return restore.ExitCode == 0 && output.Contains("\"resumed\"", StringComparison.Ordinal);
    }

    /// <summary>
    /// The restore of a full backup and an incremental is killed at random moments; the next run always resumes, and at
    /// the end everything is restored.
    /// </summary>
    public async Task RunKilledAtRandomAsync(int count)
    {
        await AddIncrementalAsync();
        Assert.True((await DescribeStoredAsync()).HasStates);
        var whole = await MeasureAsync();
        var random = RandomTest.Random();
        var (kills, resumed) = (0, 0);
        while (kills < count)
        {
            using var restore = StartRestore("--json");
            await Task.Delay(whole * random.NextDouble(), Token);
            await KillRestoreAsync();
            if (await WasResumedAsync(restore))
                resumed++;
            if (restore.ExitCode == 0)
                await AssertNoMarksAsync();
            else
                kills++;
            if ((await Client.Host.RunAsync($"zfs list {Target}")).ExitCode != 0)
            {
                Assert.NotEqual(0, restore.ExitCode);
                continue;
            }

            await AssertRestoredAsync(); // what has the name is complete, whenever the kill came
            await UndoAsync();
        }

        if ((await FinishAsync()).TryGetProperty("resumed", out _))
            resumed++;
        await AssertRestoredAsync();
        await AssertNoMarksAsync();
        AssertSomeResumed(resumed, count);
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{kills} kills, {resumed} restores ended that had been interrupted"
        );
    }

    public static void AssertSomeResumed(int resumed, int kills) =>
        Assert.True(resumed > 0 || kills <= FewKills, $"no run resumed after {kills} kills");

    /// <summary>Runs a restore to its end; it must succeed.</summary>
    public async Task<JsonElement> FinishAsync(string options = "") =>
        await Client.JsonAsync($"zfs-restore latest {Target} {options}");

    public async Task AssertRestoredAsync()
    {
        var listed = await Client.ShellAsync(
            $"zfs get -H -o value type {Source}; for d in {Source} {Target}; do echo =; zfs list -H -d 1 -t snapshot "
                + "-o name,guid $d; done"
        );
        var (type, source, restored) = listed.Split("=\n") is [var first, var second, var third]
            ? (first.Trim(), SnapshotsOf(second), SnapshotsOf(third))
            : throw new InvalidOperationException($"The snapshots were not listed: {listed}");
        Assert.Equal(source, restored);
        if (type == "volume")
            Assert.Equal(await DigestOfVolumeAsync(Source), await DigestOfVolumeAsync(Target));
        else
            await Client.AssertSameAsync($"{Source}@{source[^1].Split('\t')[0]}", Target);
        await AssertNoTracesAsync();
    }

    /// <summary>
    /// A restore that ended leaves none of its marks; one that was killed behind its last step but these may.
    /// </summary>
    public async Task AssertNoMarksAsync() =>
        Assert.Equal(
            "",
            await Client.ShellAsync(
                $"zfs get -H -o value -s local zfs-snapshot-manager:restore,zfs-snapshot-manager:restore-of {Target}"
            )
        );

    /// <summary>No dataset under one of the names that a restore uses on its way.</summary>
    public async Task AssertNoTracesAsync()
    {
        var names = await Client.ShellAsync($"zfs list -H -r -o name {Client.Area}");
        Assert.DoesNotContain(".restoring", names, StringComparison.Ordinal);
        Assert.DoesNotContain(".replaced", names, StringComparison.Ordinal);
    }

    /// <summary>The manifest of the newest backup: how many parts, and whether they begin with whole records.</summary>
    public async Task<(int Parts, bool HasStates)> DescribeStoredAsync()
    {
        using var http = Server.As(Client.Id, Client.Key);
        var id = (await Client.ListBackupsAsync())[0].GetProperty("snapshot_id").GetString()!;
        var manifest = (
            await Answer.ReadAsync(await http.GetAsync($"snapshots/{Uri.EscapeDataString(id)}/manifest", Token))
        )
            .MustSucceed()
            .Json;
        JsonElement[] parts =
        [
            .. manifest
                .GetProperty("objects")
                .EnumerateArray()
                .SelectMany(stored => stored.GetProperty("parts").EnumerateArray()),
        ];
        return (parts.Length, parts.All(part => part.TryGetProperty("state", out _)));
    }

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        await Server.DisposeAsync();
    }

    private async Task BackUpAsWholeAsync()
    {
        await Client.ShellAsync($"zfs snapshot {Source}@whole");
        var stream = Convert.FromBase64String(await Client.ShellAsync($"zfs send -L {Source}@whole | base64 -w0"));
        using var http = Server.As(Client.Id, Client.Key);
        using var announcement = new StringContent($"{{\"dataset_name\":\"{Source}\",\"compression\":\"none\"}}");
        var upload = (await Answer.ReadAsync(await http.PostAsync("upload", announcement, Token)))
            .MustSucceed()
            .Json.GetProperty("upload_id")
            .GetString();
        using var body = new ByteArrayContent(stream);
        (await Answer.ReadAsync(await http.PostAsync($"upload-stream/{upload}", body, Token))).MustSucceed();
    }

    /// <returns>What is behind the '@', and the GUID.</returns>
    private static string[] SnapshotsOf(string list) =>
        [.. list.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('@')[1])];

    private Task<string> DigestOfVolumeAsync(string volume) =>
        Client.ShellAsync(
            $"for i in $(seq 100); do [ -b /dev/zvol/{volume} ] && break; sleep 0.1; done; sha256sum < "
                + $"/dev/zvol/{volume}"
        );
}
