using System.Diagnostics;
using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>
/// A backup that was interrupted goes on where its last part ended; or, where it cannot, starts over and says why.
/// </summary>
[Collection("zfs")]
public sealed class ResumedBackupTests(ZfsHost host, ITestOutputHelper output)
{
    /// <summary>Parts that must be there before a run is interrupted.</summary>
    private const int Parts = 3;

    /// <summary>Random moments at which the client is killed.</summary>
    private const int Kills = 50;

    /// <summary>Runs that are killed before one is left to end.</summary>
    private const int KillsInARow = 2;

    private const string Random20M = "head -c 20M /dev/urandom > large && echo small > small && sync";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("KILL", 137)]
    [InlineData("INT", 130)]
    [InlineData("TERM", 130)]
    public async Task An_interrupted_backup_goes_on_and_the_next_one_builds_on_it(string signal, int exitCode)
    {
        await using var server = await StartServerAsync();
        await using var client = await CreateClientAsync(server);
        var error = await InterruptAsync(client, signal, exitCode);
        var interrupted = Assert.Single(await client.SnapshotsOfAsync($"{client.Area}/data"));
        Assert.Contains(
            "zsm-upload",
            await client.ShellAsync($"zfs holds -H '{interrupted}'"),
            StringComparison.Ordinal
        );
        if (signal != "KILL")
            Assert.Contains("the next run resumes from there", error, StringComparison.Ordinal);
        await client.ShellAsync($"echo changed > /{client.Area}/data/small");

        var next = await client.JsonAsync("zfs-client backup");

        var resumed = next.GetProperty("resumed");
        Assert.Equal(interrupted, resumed.GetProperty("snapshot").GetString());
        Assert.InRange(resumed.GetProperty("from_bytes").GetInt64(), Parts << 20, 20 << 20);
        Assert.Equal("incremental", next.GetProperty("kind").GetString());
        Assert.StartsWith(
            interrupted.Replace('@', '#'),
            next.GetProperty("base").GetString(),
            StringComparison.Ordinal
        );
        await AssertAllRestoreAsync(client, 2);
    }

    [Fact]
    public async Task A_full_backup_that_goes_on_is_the_full_backup_that_was_asked_for()
    {
        await using var server = await StartServerAsync();
        await using var client = await CreateClientAsync(server);
        await InterruptAsync(client, "KILL", 137);

        var next = await client.JsonAsync("zfs-client backup-full");

        Assert.Equal("full", next.GetProperty("kind").GetString());
        Assert.Equal(
            next.GetProperty("snapshot").GetString(),
            next.GetProperty("resumed").GetProperty("snapshot").GetString()
        );
        await AssertAllRestoreAsync(client, 1);
    }

    [Fact]
    public async Task An_incremental_goes_on_from_its_bookmark()
    {
        await using var server = await StartServerAsync();
        await using var client = await CreateClientAsync(server);
        var first = await client.JsonAsync("zfs-client backup");
        await client.ShellAsync(
            $"zfs destroy '{first.GetProperty("snapshot").GetString()}' && cd /{client.Area}/data && {Random20M}"
        );
        await InterruptAsync(client, "KILL", 137);

        var next = await client.JsonAsync("zfs-client backup");

        Assert.StartsWith(
            first.GetProperty("snapshot").GetString()!.Replace('@', '#'),
            next.GetProperty("resumed").GetProperty("base").GetString(),
            StringComparison.Ordinal
        );
        Assert.Equal(3, (await client.ListBackupsAsync()).Length);
        await AssertLatestRestoresAsync(client, next.GetProperty("snapshot").GetString()!);
    }

    [Fact]
    public async Task What_was_begun_with_one_compression_is_finished_with_it()
    {
        await using var server = await StartServerAsync();
        await using var client = await CreateClientAsync(server, "COMPRESSION=zstd");
        await InterruptAsync(client, "KILL", 137);
        await WriteSettingsAsync(client, "COMPRESSION=none", "UPLOAD_PARALLEL=1");

        var next = await client.JsonAsync("zfs-client backup");

        Assert.Equal("zstd", next.GetProperty("resumed").GetProperty("backup").GetProperty("compression").GetString());
        Assert.Equal("none", next.GetProperty("backup").GetProperty("compression").GetString());
        await AssertAllRestoreAsync(client, 2);
    }

    [Fact]
    public async Task A_server_that_stays_away_interrupts_the_backup_and_the_next_run_goes_on()
    {
        await using var server = await StartServerAsync();
        await using var client = await CreateClientAsync(server, "RETRY_TIME=2");
        using var backup = client.Start("exec zfs-client backup");
        await WaitForPartsAsync(client, backup);

        await server.KillAsync();

        var error = await backup.StandardError.ReadToEndAsync(Token);
        await backup.WaitForExitAsync(Token);
        Assert.True(backup.ExitCode == 4, error);
        Assert.Contains("the next run resumes from there", error, StringComparison.Ordinal);
        await server.StartAgainAsync();
        var next = await client.JsonAsync("zfs-client backup");
        Assert.True(next.GetProperty("resumed").GetProperty("from_bytes").GetInt64() > 0);
        await AssertAllRestoreAsync(client, 2);
    }

    [Fact]
    public async Task A_backup_whose_snapshot_is_gone_starts_over_and_says_so()
    {
        await using var server = await StartServerAsync();
        await using var client = await CreateClientAsync(server);
        await InterruptAsync(client, "KILL", 137);
        await client.ShellAsync(
            $"s=$(zfs list -H -o name -t snapshot -d 1 {client.Area}/data) && zfs release zsm-upload \"$s\" && zfs "
                + "destroy \"$s\""
        );

        var next = await client.RunAsync("zfs-client backup");

        Assert.Equal(0, next.ExitCode);
        Assert.Contains(": its snapshot no longer exists", next.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await client.JsonAsync("zfs-client status")).GetProperty("open_uploads").GetInt32());
        await AssertAllRestoreAsync(client, 1);
    }

    [Fact]
    public async Task With_no_resume_it_starts_over()
    {
        await using var server = await StartServerAsync();
        await using var client = await CreateClientAsync(server);
        await InterruptAsync(client, "KILL", 137);
        var interrupted = Assert.Single(await client.SnapshotsOfAsync($"{client.Area}/data"));

        var next = await client.JsonAsync("zfs-client backup --no-resume");

        Assert.False(next.TryGetProperty("resumed", out _));
        Assert.Equal("full", next.GetProperty("kind").GetString());
        Assert.DoesNotContain(interrupted, await client.SnapshotsOfAsync($"{client.Area}/data"));
        Assert.Equal(0, (await client.JsonAsync("zfs-client status")).GetProperty("open_uploads").GetInt32());
        await AssertAllRestoreAsync(client, 1);
    }

    [Fact]
    public async Task A_volume_goes_on_block_for_block()
    {
        await using var server = await StartServerAsync();
        await using var client = await ClientMachine.CreateAsync(host, server);
        var volume = $"{client.Area}/data";
        var device = $"for i in $(seq 50); do [ -e /dev/zvol/{volume} ] && break; sleep 0.1; done";
        await client.ShellAsync(
            $"zfs create -s -V 64M {volume} && {device}; dd if=/dev/urandom of=/dev/zvol/{volume} bs=1M count=16 "
                + "conv=notrunc 2>/dev/null && sync"
        );
        await WriteSettingsAsync(client);
        await InterruptAsync(client, "KILL", 137);

        var next = await client.JsonAsync("zfs-client backup-full");

        Assert.True(next.GetProperty("resumed").GetProperty("from_bytes").GetInt64() > 0);
        await client.JsonAsync($"zfs-restore latest {client.Area}/restored");
        var digests = await client.ShellAsync(
            $"{device}; for v in {volume} {client.Area}/restored; do for i in $(seq 50); do [ -e /dev/zvol/$v ] && "
                + "break; sleep 0.1; done; sha256sum < /dev/zvol/$v; done"
        );
        Assert.Single(digests.Split('\n').Distinct());
    }

    [Fact]
    public async Task Killed_at_random_moments_it_always_goes_on_and_every_backup_restores()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("ZSM_SEED"), out var given)
            ? given
            : Random.Shared.Next();
        output.WriteLine($"ZSM_SEED={seed}");
        var random = new Random(seed);
        await using var server = await StartServerAsync();
        await using var client = await CreateClientAsync(server, "BANDWIDTH_LIMIT=4M");
        await client.JsonAsync("zfs-client backup");
        var start = TimeProvider.System.GetTimestamp();
        await client.JsonAsync("zfs-client backup");
        var unchanged = TimeProvider.System.GetElapsedTime(start); // what a run takes besides sending
        var resumed = 0;
        for (var kill = 0; kill < Kills; kill++)
        {
            var megabytes = random.Next(2, 7);
            await client.ShellAsync(
                $"cd /{client.Area}/data && head -c {megabytes}M /dev/urandom > file{random.Next(5)} && rm -f "
                    + $"small{random.Next(5)} && echo {kill} > small{random.Next(5)} && sync"
            );
            var sending = TimeSpan.FromSeconds(megabytes / 4.0);
            using var backup = client.Start("exec zfs-client backup");
            var text = backup.StandardOutput.ReadToEndAsync(Token);
            // Any moment of the run, and every other time one at which it is likely to send.
            await Task.Delay(
                kill % 2 == 0
                    ? random.NextDouble() * (unchanged + sending)
                    : unchanged / 2 + random.NextDouble() * sending,
                Token
            );
            await client.KillAsync("zfs-client");
            await backup.WaitForExitAsync(Token);
            if ((await text).Contains("which was interrupted", StringComparison.Ordinal))
                resumed++;
            if (
                kill % KillsInARow == KillsInARow - 1
                && (await client.JsonAsync("zfs-client backup")).TryGetProperty("resumed", out _)
            )
                resumed++;
        }

        var backups = (await client.ListBackupsAsync()).Length;
        output.WriteLine($"{Kills} kills, {resumed} runs that went on, {backups} backups");
        Assert.InRange(resumed, 1, Kills);
        await AssertAllRestoreAsync(client, backups);
    }

    [Fact]
    public async Task The_bandwidth_limit_holds()
    {
        await using var server = await StartServerAsync();
        await using var client = await CreateClientAsync(server, "BANDWIDTH_LIMIT=4M");
        var start = TimeProvider.System.GetTimestamp();

        var backup = await client.JsonAsync("zfs-client backup");

        var rate =
            backup.GetProperty("backup").GetProperty("size_bytes").GetInt64()
            / TimeProvider.System.GetElapsedTime(start).TotalSeconds;
        Assert.InRange(rate, 1e6, 4e6 * 1.05);
    }

    private static Task<ServerProcess> StartServerAsync() =>
        ServerProcess.StartAsync(new Dictionary<string, string>(StringComparer.Ordinal) { ["PART_SIZE_MIB"] = "1" });

    private async Task<ClientMachine> CreateClientAsync(ServerProcess server, params string[] settings)
    {
        var client = await ClientMachine.CreateAsync(host, server, "data");
        await WriteSettingsAsync(client, settings);
        await client.ShellAsync($"cd /{client.Area}/data && {Random20M}");
        return client;
    }

    /// <summary>So slow that there is time to interrupt it.</summary>
    private static Task WriteSettingsAsync(ClientMachine client, params string[] settings) =>
        client.WriteSettingsAsync([
            $"LOCAL_DATASET={client.Area}/data",
            .. settings.Any(setting => setting.StartsWith("BANDWIDTH", StringComparison.Ordinal))
                ? settings
                : ["BANDWIDTH_LIMIT=5M", .. settings],
        ]);

    /// <returns>What the client said.</returns>
    private static async Task<string> InterruptAsync(ClientMachine client, string signal, int exitCode)
    {
        using var backup = client.Start("BANDWIDTH_LIMIT=2M sh -c 'zfs-client backup; exit $?'");
        await WaitForPartsAsync(client, backup);
        await client.KillAsync("zfs-client", signal);
        var error = await backup.StandardError.ReadToEndAsync(Token);
        await backup.WaitForExitAsync(Token);
        Assert.True(backup.ExitCode == exitCode, $"exit code {backup.ExitCode}: {error}");
        return error;
    }

    private static Task WaitForPartsAsync(ClientMachine client, Process backup) =>
        Patience.UntilAsync("some parts are on the server", async () =>
        {
            Assert.False(backup.HasExited, "the backup ended before it could be interrupted");
            using var http = client.Server.As(client.Id, client.Key);
            using var uploads = JsonDocument.Parse(await http.GetStringAsync("uploads", Token));
            return uploads
                .RootElement.GetProperty("uploads")
                .EnumerateArray()
                .Any(upload =>
                    upload.TryGetProperty("resume", out var resume)
                    && resume.GetProperty("next_part").GetInt32() > Parts
                );
        });

    private static async Task AssertLatestRestoresAsync(ClientMachine client, string snapshot)
    {
        await client.JsonAsync($"zfs-restore latest {client.Area}/restored");
        await AssertSameAsync(client, snapshot);
    }

    /// <summary>
    /// The newest one's chain is all there is: each of its snapshots comes back equal, nothing is held any more, and
    /// nothing else is left.
    /// </summary>
    private static async Task AssertAllRestoreAsync(ClientMachine client, int backups)
    {
        Assert.Equal(backups, (await client.ListBackupsAsync()).Length);
        await client.JsonAsync($"zfs-restore latest {client.Area}/restored");
        var snapshots = (await client.SnapshotsOfAsync($"{client.Area}/data"))
            .Where(name => name.Contains('@', StringComparison.Ordinal))
            .ToList();
        Assert.Equal(backups, snapshots.Count);
        Assert.Empty(await client.ShellAsync($"zfs holds -H {string.Join(' ', snapshots)}"));
        foreach (var snapshot in snapshots)
            await AssertSameAsync(client, snapshot);
    }

    private static async Task AssertSameAsync(ClientMachine client, string snapshot)
    {
        var restored = $"{client.Area}/restored@{snapshot.Split('@')[1]}";
        Assert.Equal(await client.GuidOfAsync(snapshot), await client.GuidOfAsync(restored));
        Assert.Equal(await client.TreeOfAsync(snapshot), await client.TreeOfAsync(restored));
    }
}
