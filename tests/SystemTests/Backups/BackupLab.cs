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

    /// <summary>Where <c>zfs send</c> waits to be interrupted, if it is the stand-in.</summary>
    private const long HeldAt = 6 << 20;

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

    /// <summary>The settings of the client from now on, besides those that every one has.</summary>
    public Task SetAsync(params string[] settings) =>
        Client.WriteSettingsAsync([$"LOCAL_DATASET={Dataset}", .. settings]);

    /// <summary>Writes as much as an interruption needs.</summary>
    public Task ChangeAsync() => Client.WriteAsync("data", ("large", 12 << 20), ("small", 6));

    /// <summary>
    /// Starts a backup that does not end by itself on the stand-in, and is slow on real ZFS, and waits until the server
    /// has some parts of it.
    /// </summary>
    public async Task<Process> BeginAsync()
    {
        var standIn = Client.Host as StandInHost;
        standIn?.LimitSend(HeldAt);
        var backup = Client.Start(
            standIn is null ? "BANDWIDTH_LIMIT=2M sh -c 'zfs-client backup; exit $?'" : "exec zfs-client backup"
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
    public async Task AssertAllRestoreAsync(int backups)
    {
        Assert.Equal(backups, (await Client.ListBackupsAsync()).Length);
        await Client.JsonAsync($"zfs-restore latest {Client.Area}/restored");
        var snapshots = (await Client.SnapshotsOfAsync(Dataset))
            .Where(name => name.Contains('@', StringComparison.Ordinal))
            .ToList();
        Assert.Equal(backups, snapshots.Count);
        Assert.Empty(await Client.ShellAsync($"zfs holds -H {string.Join(' ', snapshots)}"));
        foreach (var snapshot in snapshots)
            await AssertSameAsync(snapshot);
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
            "zsm-upload",
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
        Assert.StartsWith(
            interrupted.Replace('@', '#'),
            next.GetProperty("base").GetString(),
            StringComparison.Ordinal
        );
        await AssertAllRestoreAsync(2);
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

    private async Task AssertSameAsync(string snapshot)
    {
        var restored = $"{Client.Area}/restored@{snapshot.Split('@')[1]}";
        Assert.Equal(await Client.GuidOfAsync(snapshot), await Client.GuidOfAsync(restored));
        Assert.Equal(await Client.TreeOfAsync(snapshot), await Client.TreeOfAsync(restored));
    }
}
