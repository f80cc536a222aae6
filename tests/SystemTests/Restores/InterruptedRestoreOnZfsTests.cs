using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>
/// What an interrupted restore needs of real ZFS: that its token, and what is made from it, continue the receive. See
/// <see cref="InterruptedRestoreTests"/> for all that can interrupt it.
/// </summary>
[Collection("zfs-2")]
public sealed class InterruptedRestoreOnZfsTests(SecondZfsHost host)
{
    private const int Mebibyte = 1024 * 1024;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_received_is_not_fetched_again()
    {
        await using var lab = await RestoreLab.CreateAsync(
            host,
            "zfs create AREA/data && cd /AREA/data && head -c 20M /dev/urandom > large && for i in $(seq 300); do "
                + "head -c 20000 /dev/urandom > file$i; done && mkdir folder && ln -s ../large folder/link && sync"
        );
        await using var proxy = new TcpProxy(lab.Server.Port);
        await lab.SetAsync($"SERVER_URL=http://{host.ServerAddress}:{proxy.Port}", "RETRY_TIME=0");
        var (parts, hasStates) = await lab.DescribeStoredAsync();
        Assert.True(parts > 20 && hasStates, $"{parts} parts");
        var stored = (await lab.Client.ListBackupsAsync())[0].GetProperty("size_bytes").GetInt64();
        proxy.Fault = NetworkFault.Delay;
        using var restore = lab.StartRestore();
        await Patience.UntilAsync("three quarters came", () => proxy.ToClient > stored * 3 / 4);

        proxy.Fault = NetworkFault.Away;
        var error = await restore.StandardError.ReadToEndAsync(Token);
        await restore.WaitForExitAsync(Token);
        Assert.Equal(4, restore.ExitCode);
        Assert.Contains($"What was received is kept in {lab.Partial}", error, StringComparison.Ordinal);
        Assert.Contains("--restart", error, StringComparison.Ordinal);
        proxy.Fault = NetworkFault.None;
        var before = proxy.ToClient;
        var resumed = (await lab.FinishAsync()).GetProperty("resumed");

        // Again come: what was on its way, four parts and those in the sockets; the first part; those with the object
        // and with the place; the manifest.
        Assert.InRange(proxy.ToClient - before, stored / 10, (stored / 4) + (11 * Mebibyte));
        Assert.InRange(resumed.GetProperty("stream_bytes").GetInt64(), stored / 2, stored);
        await lab.AssertRestoredAsync();
    }

    [Fact]
    public async Task A_volume_is_resumed()
    {
        await using var lab = await RestoreLab.CreateAsync(
            host,
            "zfs create -V 32M -o volblocksize=16K AREA/data && for i in $(seq 100); do [ -b /dev/zvol/AREA/data ] "
                + "&& break; sleep 0.1; done && head -c 24M /dev/urandom > /dev/zvol/AREA/data && sync"
        );
        using var restore = await lab.InterruptAsync("KILL");

        Assert.Equal(JsonValueKind.Object, (await lab.FinishAsync()).GetProperty("resumed").ValueKind);
        await lab.AssertRestoredAsync();
    }

    [Fact]
    public async Task A_forced_restore_that_was_interrupted_leaves_the_old_dataset_and_is_resumed()
    {
        await using var lab = await RestoreLab.CreateAsync(host);
        await lab.Client.ShellAsync($"zfs create {lab.Target} && echo precious > /{lab.Target}/file");
        using var restore = await lab.InterruptAsync("KILL", $"--force --source {lab.Source}");

        Assert.Equal("precious", await lab.Client.ShellAsync($"cat /{lab.Target}/file"));
        var resumed = (await lab.FinishAsync($"--force --source {lab.Source}")).GetProperty("resumed");
        // How much of what came ZFS had received is up to the buffers on the way.
        Assert.InRange(resumed.GetProperty("stream_bytes").GetInt64(), 1, long.MaxValue);
        await lab.AssertRestoredAsync();
    }
}
