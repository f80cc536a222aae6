using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Parts;

/// <summary>
/// The real client, past a network that fails: one run of it comes through, and what it stored restores. On the
/// stand-in for <c>zfs</c>; see also <see cref="DeadConnectionTests"/>.
/// </summary>
public sealed class NetworkFaultTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(nameof(NetworkFault.Reset), 1500)]
    [InlineData(nameof(NetworkFault.Away), 2500)]
    [InlineData(nameof(NetworkFault.CutAnswers), 2000)]
    [InlineData(nameof(NetworkFault.Delay), 2000)]
    [InlineData(nameof(NetworkFault.Silence), 3000)]
    public async Task A_network_that_fails_for_a_while_delays_a_backup(string fault, int milliseconds)
    {
        await using var server = await StartServerAsync();
        await using var proxy = new TcpProxy(server.Port);
        await using var client = await CreateClientAsync(server, proxy.Port);
        using var backup = client.Start("exec zfs-client backup");
        var fails = Enum.Parse<NetworkFault>(fault);
        for (var times = 0; times < 2; times++)
        {
            await WaitForBytesAsync(proxy, proxy.ToServer + (3 << 20), backup);
            proxy.Fault = fails;
            await Task.Delay(milliseconds, Token);
            proxy.Fault = NetworkFault.None;
        }

        await AssertSucceedsAsync(backup);
        await AssertRestoresAsync(client);
    }

    [Fact]
    public async Task Two_clients_come_through_two_restarts_of_their_server_and_a_crash()
    {
        await using var server = await StartServerAsync();
        await using var one = await CreateClientAsync(server, server.Port);
        await using var two = await CreateClientAsync(server, server.Port);
        using var first = one.Start("exec zfs-client backup");
        using var second = two.Start("exec zfs-client backup");
        await Patience.UntilAsync("both have begun", () =>
            Directory.EnumerateFiles(Path.Combine(server.DataFolder, "incoming")).Count() == 2
        );
        for (var restart = 0; restart < 3; restart++)
        {
            await Task.Delay(1000, Token);
            if (restart == 1)
                await server.KillAsync();
            else
                await server.StopAsync();
            await Task.Delay(1000, Token);
            await server.StartAgainAsync();
        }

        await AssertSucceedsAsync(first);
        await AssertSucceedsAsync(second);
        await AssertRestoresAsync(one);
        await AssertRestoresAsync(two);
        Assert.DoesNotContain(server.StoredFiles(), file => file.StartsWith("incoming", StringComparison.Ordinal));
    }

    private static Task<ServerProcess> StartServerAsync() =>
        ServerProcess.StartAsync(new Dictionary<string, string>(StringComparer.Ordinal) { ["PART_SIZE_MIB"] = "1" });

    /// <summary>One whose backup takes some seconds, so that there is time for things to go wrong.</summary>
    private static async Task<ClientMachine> CreateClientAsync(ServerProcess server, int port)
    {
        var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        await client.WriteSettingsAsync(
            $"LOCAL_DATASET={client.Area}/data",
            $"SERVER_URL=http://{client.Host.ServerAddress}:{port}",
            "BANDWIDTH_LIMIT=4M",
            "RETRY_TIME=120"
        );
        await client.WriteAsync("data", ("large", 20 << 20), ("small", 6));
        return client;
    }

    private static Task WaitForBytesAsync(TcpProxy proxy, long bytes, System.Diagnostics.Process backup) =>
        Patience.UntilAsync("bytes have passed", () =>
        {
            Assert.False(backup.HasExited, "the backup ended before anything went wrong");
            return proxy.ToServer >= bytes;
        });

    private static async Task AssertSucceedsAsync(System.Diagnostics.Process backup)
    {
        var error = await backup.StandardError.ReadToEndAsync(Token);
        await backup.WaitForExitAsync(Token);
        Assert.True(backup.ExitCode == 0, $"exit code {backup.ExitCode}: {error}");
    }

    private static async Task AssertRestoresAsync(ClientMachine client)
    {
        var snapshot = (await client.SnapshotsOfAsync($"{client.Area}/data")).Single(name =>
            name.Contains('@', StringComparison.Ordinal)
        );
        await client.JsonAsync($"zfs-restore latest {client.Area}/restored");
        await client.AssertSameAsync(snapshot, $"{client.Area}/restored");
        Assert.Single(await client.ListBackupsAsync());
    }
}
