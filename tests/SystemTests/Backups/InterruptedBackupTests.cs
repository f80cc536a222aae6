using System.Diagnostics;
using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>
/// Whatever is killed in the middle of a backup: nothing is listed that does not restore, nothing half-made is taken
/// for whole, and the next run just works. On the stand-in for <c>zfs</c>; see also <see cref="ResumedBackupTests"/>.
/// </summary>
public sealed class InterruptedBackupTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private const long Half = 2_000_000;

    private static readonly Dictionary<string, string> SmallParts = new(StringComparer.Ordinal)
    {
        ["PART_SIZE_MIB"] = "1",
    };

    /// <summary>So large that the whole stream is sent in one request, as one part.</summary>
    private static readonly Dictionary<string, string> LargeParts = new(StringComparer.Ordinal)
    {
        ["PART_SIZE_MIB"] = "64",
    };

    [Fact]
    public async Task A_killed_zfs_send_ends_the_backup_and_the_next_run_resumes()
    {
        var host = new StandInHost();
        await using var server = await ServerProcess.StartAsync(SmallParts);
        await using var client = await CreateClientAsync(host, server);
        await client.WriteAsync("data", ("more", 30 << 20)); // more than the client takes into memory
        host.LimitSend(24 << 20);
        using var backup = client.Start("exec zfs-client backup");
        await WaitForHalfAsync(server, backup);

        await client.KillAsync("zfs");

        var error = await backup.StandardError.ReadToEndAsync(Token);
        await backup.WaitForExitAsync(Token);
        Assert.Equal(6, backup.ExitCode);
        Assert.Contains("zfs send", error, StringComparison.Ordinal);
        Assert.Contains("the next run resumes from there", error, StringComparison.Ordinal);
        host.LimitSend(null);
        await client.WriteSettingsAsync($"LOCAL_DATASET={client.Area}/data");
        var next = await client.JsonAsync("zfs-client backup-full");
        Assert.InRange(next.GetProperty("resumed").GetProperty("from_bytes").GetInt64(), 1 << 20, 38 << 20);
        await AssertLatestRestoresAsync(client, next.GetProperty("snapshot").GetString()!);
    }

    [Fact]
    public async Task A_zfs_send_that_is_killed_before_anything_is_stored_fails_the_backup_and_leaves_nothing()
    {
        var host = new StandInHost();
        await using var server = await ServerProcess.StartAsync(SmallParts);
        await using var client = await CreateClientAsync(host, server);
        host.LimitSend(500_000); // less than a part
        using var backup = client.Start("exec zfs-client backup");
        await Patience.UntilAsync("the client sends", () =>
            StandInHost
                .FindProcesses("zfs", client.Folder)
                .Any(id => File.ReadAllText($"/proc/{id}/cmdline").Contains("send\0-L", StringComparison.Ordinal))
        );

        await client.KillAsync("zfs");

        var error = await backup.StandardError.ReadToEndAsync(Token);
        await backup.WaitForExitAsync(Token);
        Assert.Equal(6, backup.ExitCode);
        Assert.Contains("zfs send", error, StringComparison.Ordinal);
        host.LimitSend(null);
        Assert.Empty(await client.SnapshotsOfAsync($"{client.Area}/data"));
        await AssertNothingStoredAsync(server, client);
        await AssertNextBackupRestoresAsync(client);
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public async Task A_client_that_is_told_to_stop_before_anything_is_stored_cleans_up(string signal)
    {
        await using var server = await ServerProcess.StartAsync(LargeParts);
        await using var client = await CreateClientAsync(new StandInHost(), server);
        using var backup = client.Start("exec zfs-client backup");
        await WaitForBodyAsync(client, backup);

        await client.KillAsync("zfs-client", signal);

        await backup.WaitForExitAsync(Token);
        Assert.Equal(130, backup.ExitCode);
        Assert.Empty(await client.SnapshotsOfAsync($"{client.Area}/data"));
        Assert.Equal(0, (await client.JsonAsync("zfs-client status")).GetProperty("open_uploads").GetInt32());
        await AssertNothingStoredAsync(server, client);
        await AssertNextBackupRestoresAsync(client);
    }

    [Fact]
    public async Task A_client_that_is_killed_before_anything_is_stored_leaves_a_snapshot_that_the_next_run_removes()
    {
        await using var server = await ServerProcess.StartAsync(LargeParts);
        await using var client = await CreateClientAsync(new StandInHost(), server);
        using var backup = client.Start("exec zfs-client backup");
        await WaitForBodyAsync(client, backup);

        await client.KillAsync("zfs-client");

        await backup.WaitForExitAsync(Token);
        var leftover = Assert.Single(await client.GuidsOfAsync($"{client.Area}/data"));
        await Patience.UntilAsync("the server has dropped the half stream", () =>
            !server.StoredFiles().Any(file => file.StartsWith("incoming", StringComparison.Ordinal))
        );
        await AssertNothingStoredAsync(server, client);
        await AssertNextBackupRestoresAsync(client);
        Assert.DoesNotContain(leftover, await client.GuidsOfAsync($"{client.Area}/data"));
    }

    [Fact]
    public async Task A_server_that_is_killed_twice_and_comes_back_delays_the_backup_and_no_more()
    {
        await using var server = await ServerProcess.StartAsync(SmallParts);
        await using var client = await CreateClientAsync(new StandInHost(), server);
        using var backup = client.Start("exec zfs-client backup");
        await WaitForHalfAsync(server, backup);

        await server.KillAsync();
        await server.StartAgainAsync();
        await WaitForAsync(server, backup, 3 * Half);
        await server.KillAsync();
        await Task.Delay(TimeSpan.FromSeconds(2), Token);
        await server.StartAgainAsync();

        var error = await backup.StandardError.ReadToEndAsync(Token);
        await backup.WaitForExitAsync(Token);
        Assert.True(backup.ExitCode == 0, error);
        var snapshot = Assert.Single(await client.SnapshotsOfAsync($"{client.Area}/data"), name =>
            name.Contains('@', StringComparison.Ordinal)
        );
        await AssertLatestRestoresAsync(client, snapshot);
    }

    [Fact]
    public async Task A_server_that_stays_away_ends_the_backup_before_anything_is_stored()
    {
        await using var server = await ServerProcess.StartAsync(LargeParts);
        await using var client = await CreateClientAsync(new StandInHost(), server, "RETRY_TIME=1");
        using var backup = client.Start("exec zfs-client backup");
        await WaitForBodyAsync(client, backup);

        await server.KillAsync();

        await backup.WaitForExitAsync(Token);
        Assert.Equal(4, backup.ExitCode);
        await server.StartAgainAsync();
        await AssertNothingStoredAsync(server, client);
        await AssertNextBackupRestoresAsync(client);
        Assert.Equal(2, (await client.SnapshotsOfAsync($"{client.Area}/data")).Length); // the snapshot and its bookmark
    }

    [Fact]
    public async Task A_commit_whose_answer_was_lost_is_found_by_the_next_run()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateClientAsync(new StandInHost(), server);
        var committed = await client.JsonAsync("zfs-client backup");
        var snapshot = committed.GetProperty("snapshot").GetString()!;

        // What a client leaves that was killed between the server's commit and its own notes.
        await client.ShellAsync(
            $"zfs destroy '{snapshot.Replace('@', '#')}' && zfs set zfs-snapshot-manager:upload=pending '{snapshot}'"
        );
        var next = await client.JsonAsync("zfs-client backup");

        Assert.Equal("incremental", next.GetProperty("kind").GetString());
        Assert.Contains(snapshot.Replace('@', '#'), await client.SnapshotsOfAsync($"{client.Area}/data"));
        await AssertLatestRestoresAsync(client, next.GetProperty("snapshot").GetString()!);
    }

    [Fact]
    public async Task Two_backups_of_one_dataset_do_not_run_at_once()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateClientAsync(new StandInHost(), server);
        using var backup = client.Start("exec zfs-client backup");
        await WaitForHalfAsync(server, backup);

        var second = await client.RunAsync("zfs-client backup");

        Assert.Equal(9, second.ExitCode);
        Assert.Contains("Another zfs-client", second.Error, StringComparison.Ordinal);
        await backup.WaitForExitAsync(Token);
        Assert.Equal(0, backup.ExitCode);
        Assert.Single(await client.ListBackupsAsync());
    }

    /// <summary>
    /// A dataset whose backup takes some seconds, in which a slow machine comes to interrupt it: random data, so that
    /// compression does not shorten it.
    /// </summary>
    private static async Task<ClientMachine> CreateClientAsync(
        StandInHost host,
        ServerProcess server,
        params string[] settings
    )
    {
        var client = await ClientMachine.CreateAsync(host, server, "data");
        await client.WriteSettingsAsync([$"LOCAL_DATASET={client.Area}/data", "BANDWIDTH_LIMIT=1600K", .. settings]);
        await client.WriteAsync("data", ("large", 8_000_000), ("small", 6));
        return client;
    }

    /// <summary>
    /// Until the one request is under way in which a stream goes that is no more than a part: of its bytes the server
    /// shows nothing.
    /// </summary>
    private static Task WaitForBodyAsync(ClientMachine client, Process backup) =>
        Patience.UntilAsync("the server receives the stream", async () =>
        {
            Assert.False(backup.HasExited, "the backup ended before it could be interrupted");
            using var http = client.Server.As(client.Id, client.Key);
            using var uploads = JsonDocument.Parse(await http.GetStringAsync("uploads", Token));
            var open = uploads.RootElement.GetProperty("uploads");
            if (open.GetArrayLength() == 0)
                return false;
            using var state = JsonDocument.Parse(
                await http.GetStringAsync($"upload-stream/{open[0].GetProperty("upload_id").GetString()}", Token)
            );
            return state.RootElement.GetProperty("state").GetString() == "receiving";
        });

    private static Task WaitForHalfAsync(ServerProcess server, Process backup) => WaitForAsync(server, backup, Half);

    private static Task WaitForAsync(ServerProcess server, Process backup, long bytes) =>
        Patience.UntilAsync($"{bytes} bytes of the stream are on the server", () =>
        {
            Assert.False(backup.HasExited, "the backup ended before it could be interrupted");
            return Directory
                .EnumerateFiles(Path.Combine(server.DataFolder, "incoming"))
                .Any(file => new FileInfo(file).Length > bytes);
        });

    private static async Task AssertNothingStoredAsync(ServerProcess server, ClientMachine client)
    {
        Assert.Empty(await client.ListBackupsAsync());
        Assert.Empty(server.StoredFiles());
    }

    private static async Task AssertNextBackupRestoresAsync(ClientMachine client)
    {
        await client.WriteSettingsAsync($"LOCAL_DATASET={client.Area}/data"); // nobody interrupts this one
        var backup = await client.JsonAsync("zfs-client backup");
        Assert.Single(await client.ListBackupsAsync());
        await AssertLatestRestoresAsync(client, backup.GetProperty("snapshot").GetString()!);
    }

    private static async Task AssertLatestRestoresAsync(ClientMachine client, string snapshot)
    {
        await client.JsonAsync($"zfs-restore latest {client.Area}/restored");
        var restored = $"{client.Area}/restored@{snapshot.Split('@')[1]}";
        Assert.Equal(await client.GuidOfAsync(snapshot), await client.GuidOfAsync(restored));
        Assert.Equal(await client.TreeOfAsync(snapshot), await client.TreeOfAsync(restored));
    }
}
