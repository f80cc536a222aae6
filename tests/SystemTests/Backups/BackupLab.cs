using System.Diagnostics;
using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>
/// A client with a dataset of some parts of random data, and what tests of interrupted backups do with it, on whatever
/// machine it runs.
/// </summary>
internal sealed class BackupLab : IAsyncDisposable
{
    /// <summary>Parts that the server must have before a run is interrupted.</summary>
    public const int Parts = 3;

    /// <summary>The size of parts in MiB of which one holds all that <see cref="CreateSlowAsync"/> writes.</summary>
    public const int OneBody = 64;

    /// <summary>Where <c>zfs send</c> waits to be interrupted, if it is the stand-in.</summary>
    private const long HeldAt = 6 << 20;

    /// <summary>Runs that are killed before one is left to end.</summary>
    private const int KillsInARow = 2;

    /// <summary>The default of the client.</summary>
    private const int KeepManual = 3;

    /// <summary>So few kills may all fall where there is nothing to resume.</summary>
    private const int FewKills = 5;

    private BackupLab(ServerProcess server, ClientMachine client) => (Server, Client) = (server, client);

    public ServerProcess Server { get; }

    public ClientMachine Client { get; }

    public string Dataset => $"{Client.Area}/data";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <param name="host">Where the client runs.</param>
    /// <param name="settings">Settings of the client, besides those that every one has.</param>
    public static async Task<BackupLab> CreateAsync(ClientHost host, params string[] settings)
    {
        var lab = await CreateEmptyAsync(host, 1, "data");
        await lab.SetAsync(settings);
        await lab.ChangeAsync();
        return lab;
    }

    /// <param name="host">Where the client runs.</param>
    /// <param name="partMebibytes">The size of parts.</param>
    /// <param name="datasets">What is created below its area.</param>
    public static async Task<BackupLab> CreateEmptyAsync(ClientHost host, int partMebibytes, params string[] datasets)
    {
        var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["PART_SIZE_MIB"] = $"{partMebibytes}" }
        );
        var lab = new BackupLab(server, await ClientMachine.CreateAsync(host, server, datasets));
        await lab.SetAsync();
        return lab;
    }

    /// <summary>
    /// A dataset whose backup takes some seconds, in which a slow machine comes to interrupt it: random data, so that
    /// compression does not shorten it.
    /// </summary>
    /// <param name="host">Where the client runs.</param>
    /// <param name="partMebibytes">The size of parts.</param>
    /// <param name="settings">Settings of the client, besides those that every one has.</param>
    public static async Task<BackupLab> CreateSlowAsync(ClientHost host, int partMebibytes, params string[] settings)
    {
        var lab = await CreateEmptyAsync(host, partMebibytes, "data");
        await lab.SetAsync(["BANDWIDTH_LIMIT=1600K", .. settings]);
        await lab.Client.WriteAsync("data", ("large", 8_000_000), ("small", 6));
        return lab;
    }

    /// <summary>The settings of the client from now on, besides those that every one has.</summary>
    public Task SetAsync(params string[] settings) =>
        Client.WriteSettingsAsync([$"LOCAL_DATASET={Dataset}", .. settings]);

    /// <summary>Writes as much as an interruption needs.</summary>
    public Task ChangeAsync() => Client.WriteAsync("data", ("large", 12 << 20), ("small", 6));

    /// <summary>
    /// Starts a backup that does not end by itself on the stand-in, and is slow on real ZFS, and waits until the server
    /// has some parts of it.
    /// </summary>
    /// <param name="settings">For this run on the stand-in: what its line begins with.</param>
    public async Task<Process> BeginAsync(string settings = "")
    {
        var standIn = Client.Host as StandInHost;
        standIn?.LimitSend(HeldAt);
        var backup = Client.Start(
            standIn is null
                ? "BANDWIDTH_LIMIT=2M sh -c 'zfs-client backup; exit $?'"
                : $"{settings} exec zfs-client backup"
        );
        await WaitForPartsAsync(backup);
        return backup;
    }

    /// <summary>Begins a backup and sends the client a signal.</summary>
    /// <returns>What the client said.</returns>
    public async Task<string> InterruptAsync(string signal, int exitCode)
    {
        using var backup = await BeginAsync();
        await Client.KillAsync("zfs-client", signal);
        return await EndAsync(backup, exitCode);
    }

    /// <summary>
    /// Until the one request is under way in which a stream is sent that is no more than a part: of its bytes the
    /// server shows nothing.
    /// </summary>
    public Task WaitForBodyAsync(Process backup) => Patience.UntilAsync("the server receives the stream", async () =>
        {
            Assert.False(backup.HasExited, "the backup ended before it could be interrupted");
            using var http = Server.As(Client.Id, Client.Key);
            using var uploads = JsonDocument.Parse(await http.GetStringAsync("uploads", Token));
            var open = uploads.RootElement.GetProperty("uploads");
            if (open.GetArrayLength() == 0)
                return false;
            using var state = JsonDocument.Parse(
                await http.GetStringAsync($"upload-stream/{open[0].GetProperty("upload_id").GetString()}", Token)
            );
            return state.RootElement.GetProperty("state").GetString() == "receiving";
        });

    /// <summary>Waits until a backup has ended; what is sent from now on is not held up.</summary>
    /// <returns>What the client said.</returns>
    public async Task<string> EndAsync(Process backup, int exitCode)
    {
        var error = await backup.StandardError.ReadToEndAsync(Token);
        await backup.WaitForExitAsync(Token);
        (Client.Host as StandInHost)?.LimitSend(null);
        Assert.True(backup.ExitCode == exitCode, $"exit code {backup.ExitCode}: {error}");
        return error;
    }

    public async Task AssertLatestRestoresAsync(string snapshot)
    {
        await Client.JsonAsync($"zfs-restore latest {Client.Area}/restored");
        await AssertSameAsync(snapshot);
    }

    /// <summary>
    /// The newest one's chain is all there is: each of its snapshots comes back equal, nothing is held any more, and
    /// nothing else is left.
    /// </summary>
    /// <param name="backups">How many there are.</param>
    /// <param name="kept">How many of their snapshots are still on the client; null: all.</param>
    public async Task AssertAllRestoreAsync(int backups, int? kept = null)
    {
        Assert.Equal(backups, (await Client.ListBackupsAsync()).Length);
        await Client.JsonAsync($"zfs-restore latest {Client.Area}/restored");
        var snapshots = (await Client.SnapshotsOfAsync(Dataset))
            .Where(name => name.Contains('@', StringComparison.Ordinal))
            .ToList();
        Assert.Equal(kept ?? backups, snapshots.Count);
        Assert.Empty(await Client.ShellAsync($"zfs holds -H {string.Join(' ', snapshots)}"));
        await Client.AssertSameAsync([.. snapshots.Select(snapshot => (snapshot, $"{Client.Area}/restored"))]);
    }

    public async Task AssertNothingStoredAsync()
    {
        Assert.Empty(await Client.ListBackupsAsync());
        Assert.Empty(Server.StoredFiles());
    }

    /// <summary>The next backup, which nothing slows down, is the only one, and it restores.</summary>
    public async Task AssertNextBackupRestoresAsync()
    {
        await SetAsync();
        var backup = await Client.JsonAsync("zfs-client backup");
        Assert.Single(await Client.ListBackupsAsync());
        await AssertLatestRestoresAsync(backup.GetProperty("snapshot").GetString()!);
    }

    /// <summary>
    /// A backup is interrupted, and the dataset changes; the next run resumes it, and makes a second one that builds on
    /// it.
    /// </summary>
    public async Task RunInterruptedAsync(string signal, int exitCode)
    {
        var error = await InterruptAsync(signal, exitCode);
        var interrupted = Assert.Single(await Client.SnapshotsOfAsync(Dataset));
        Assert.Contains(
            "zsm-upload-",
            await Client.ShellAsync($"zfs holds -H '{interrupted}'"),
            StringComparison.Ordinal
        );
        if (signal != "KILL")
            Assert.Contains("the next run resumes from there", error, StringComparison.Ordinal);
        await Client.WriteAsync("data", ("small", 8));

        var next = await Client.JsonAsync("zfs-client backup");

        var resumed = next.GetProperty("resumed");
        Assert.Equal(interrupted, resumed.GetProperty("snapshot").GetString());
        Assert.InRange(resumed.GetProperty("from_bytes").GetInt64(), Parts << 20, 12 << 20);
        Assert.Equal("incremental", next.GetProperty("kind").GetString());
        Assert.Equal(interrupted, next.GetProperty("base").GetString());
        await AssertAllRestoreAsync(2);
    }

    /// <summary>An incremental whose base is only a bookmark is interrupted; the next run resumes it.</summary>
    public async Task RunFromBookmarkAsync()
    {
        var first = (await Client.JsonAsync("zfs-client backup")).GetProperty("snapshot").GetString()!;
        var bookmark = first.Replace('@', '#');
        await Client.ShellAsync($"zfs destroy '{first}'");
        await ChangeAsync();
        await InterruptAsync("KILL", 137);
        Assert.DoesNotContain(first, await Client.SnapshotsOfAsync(Dataset));

        var next = await Client.JsonAsync("zfs-client backup");

        var resumed = next.GetProperty("resumed");
        Assert.StartsWith(bookmark, resumed.GetProperty("base").GetString(), StringComparison.Ordinal);
        Assert.InRange(resumed.GetProperty("from_bytes").GetInt64(), Parts << 20, 12 << 20);
        Assert.Equal(3, (await Client.ListBackupsAsync()).Length);
        await AssertLatestRestoresAsync(next.GetProperty("snapshot").GetString()!);
    }

    /// <summary>
    /// A backup of one part is told to stop while it is sent: its snapshot is destroyed, which no hold prevents, and
    /// nothing else stays of it.
    /// </summary>
    public async Task RunStoppedAsync(string signal, int exitCode)
    {
        using var backup = Client.Start("exec zfs-client backup");
        await WaitForBodyAsync(backup);

        await Client.KillAsync("zfs-client", signal);

        await EndAsync(backup, exitCode);
        Assert.Empty(await Client.SnapshotsOfAsync(Dataset));
        Assert.Equal(0, (await Client.JsonAsync("zfs-client status")).GetProperty("open_uploads").GetInt32());
        await AssertNothingStoredAsync();
        await AssertNextBackupRestoresAsync();
    }

    /// <summary>The client is killed at random moments of its backups; the next run always resumes.</summary>
    /// <param name="kills">How often.</param>
    /// <param name="speed">Megabytes that it sends in a second.</param>
    public async Task RunKilledAtRandomAsync(int kills, int speed)
    {
        var random = RandomTest.Random();
        // One chain, which is restored at the end. Parts that share the limit would all be stored near the end.
        // The default of KEEP_MANUAL, so that kills also fall into the removal of older snapshots.
        await SetAsync($"BANDWIDTH_LIMIT={speed}M", "MAX_CHAIN=1000", "UPLOAD_PARALLEL=2", $"KEEP_MANUAL={KeepManual}");
        await Client.JsonAsync("zfs-client backup");
        var start = TimeProvider.System.GetTimestamp();
        await Client.JsonAsync("zfs-client backup");
        var unchanged = TimeProvider.System.GetElapsedTime(start); // what a run takes besides sending
        var resumed = 0;
        var most = kills > FewKills ? 5 * kills : kills; // until one has resumed
        for (var kill = 1; kill <= kills || (resumed == 0 && kill <= most); kill++)
        {
            var megabytes = random.Next(2, 7);
            await Client.WriteAsync("data", ($"file{random.Next(5)}", megabytes << 20), ($"small{random.Next(5)}", 9));
            await Client.Host.RemoveAsync(Dataset, $"small{random.Next(5)}");
            var sending = TimeSpan.FromSeconds((double)megabytes / speed);
            using var backup = Client.Start("exec zfs-client backup");
            var text = backup.StandardOutput.ReadToEndAsync(Token);
            // Any moment of the run, and every other time one at which it is likely to send.
            await Task.Delay(
                kill % 2 == 1
                    ? random.NextDouble() * (unchanged + sending)
                    : unchanged / 2 + random.NextDouble() * sending,
                Token
            );
            await Client.KillAsync("zfs-client");
            await backup.WaitForExitAsync(Token);
            if ((await text).Contains("which was interrupted", StringComparison.Ordinal))
                resumed++;
            if (
                (kill % KillsInARow == 0 || kill >= kills)
                && (await Client.JsonAsync("zfs-client backup")).TryGetProperty("resumed", out _)
            )
                resumed++;
        }

        var backups = (await Client.ListBackupsAsync()).Length;
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{kills} kills, {resumed} runs that resumed, {backups} backups"
        );
        Assert.InRange(resumed, kills > FewKills ? 1 : 0, kills);
        await AssertAllRestoreAsync(backups, Math.Min(backups, KeepManual));
    }

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        await Server.DisposeAsync();
    }

    private Task WaitForPartsAsync(Process backup) => Patience.UntilAsync("some parts are on the server", async () =>
        {
            Assert.False(backup.HasExited, "the backup ended before it could be interrupted");
            using var http = Server.As(Client.Id, Client.Key);
            using var uploads = JsonDocument.Parse(await http.GetStringAsync("uploads", Token));
            return uploads
                .RootElement.GetProperty("uploads")
                .EnumerateArray()
                .Any(upload =>
                    upload.TryGetProperty("resume", out var resume)
                    && resume.GetProperty("next_part").GetInt32() > Parts
                );
        });

    private Task AssertSameAsync(string snapshot) => Client.AssertSameAsync(snapshot, $"{Client.Area}/restored");
}
