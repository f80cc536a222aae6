using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.SystemTests.Storage;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>A server on this machine that stores in the ZFS of another (ZFS_SSH_HOST).</summary>
[Collection("zfs-2")]
public sealed class LocalOverSshTests(SecondZfsHost host)
{
    [Fact]
    public async Task A_storage_box_that_cannot_run_the_server_stores_for_it()
    {
        await using var lab = await StorageLab.InZfsAsync(host);
        await using var client = await ClientMachine.CreateAsync(
            host,
            $"http://{host.ServerAddress}:{lab.Server.Port}",
            lab.Client.Id,
            lab.Client.Key,
            "data"
        );
        await client.ShellAsync($"cd /{client.Area}/data && dd if=/dev/urandom of=random bs=1M count=4 2>/dev/null");
        await client.JsonAsync("zfs-client backup");
        await client.ShellAsync($"echo more > /{client.Area}/data/file");
        var backup = await client.JsonAsync("zfs-client backup");

        Assert.Equal("incremental", backup.GetProperty("kind").GetString());
        Assert.StartsWith(
            $"{lab.Place}/{lab.Client.Id}/",
            backup.GetProperty("backup").GetProperty("storage_key").GetString(),
            StringComparison.Ordinal
        );
        var snapshot = backup.GetProperty("snapshot").GetString()!;
        await RestoreThroughCutConnectionsAsync(client, lab.Server);
        await client.AssertSameAsync(snapshot, $"{client.Area}/again");
    }

    /// <summary>In one run, which resumes each time.</summary>
    private static async Task RestoreThroughCutConnectionsAsync(ClientMachine client, ServerProcess server)
    {
        await using var proxy = new TcpProxy(server.Port) { Fault = NetworkFault.Delay };
        await client.WriteSettingsAsync($"SERVER_URL=http://{client.Host.ServerAddress}:{proxy.Port}");
        using var restore = client.Start($"exec zfs-restore latest {client.Area}/again --verbose");
        for (var round = 1; round <= 2; round++)
        {
            var before = proxy.ToClient;
            await Patience.UntilAsync("bytes come", () => restore.HasExited || proxy.ToClient > before + 1_500_000);
            proxy.Fault = NetworkFault.Reset;
            await Task.Delay(500, TestContext.Current.CancellationToken);
            proxy.Fault = NetworkFault.Delay;
        }

        var said = await restore.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await Patience.WaitForEndAsync(restore, "the restore");
        Assert.True(restore.ExitCode == 0, $"exit code {restore.ExitCode}: {said}");
        Assert.Matches("its stream broke [2-9] times", said);
        Assert.True(proxy.ToClient < 6_500_000, $"{proxy.ToClient} bytes came: it began again");
    }
}
