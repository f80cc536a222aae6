using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>
/// A restore that was interrupted: what stays, what goes on, what starts over, and what is fetched again.
/// </summary>
[Collection("zfs-2")]
public sealed class InterruptedRestoreTests(SecondZfsHost host)
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
    public async Task A_backup_that_was_stored_as_a_whole_goes_on_too()
    {
        await using var lab = await RestoreLab.CreateAsync(host, inParts: false);
        Assert.False((await lab.DescribeStoredAsync()).HasStates);
        using var restore = await InterruptAsync(lab, "-9");

        Assert.InRange(
            (await lab.FinishAsync()).GetProperty("resumed").GetProperty("stream_bytes").GetInt64(),
            Mebibyte,
            long.MaxValue
        );
        await lab.AssertRestoredAsync();
    }

    [Fact]
    public async Task A_volume_goes_on()
    {
        await using var lab = await RestoreLab.CreateAsync(
            host,
            "zfs create -V 32M -o volblocksize=16K AREA/data && for i in $(seq 100); do [ -b /dev/zvol/AREA/data ] "
                + "&& break; sleep 0.1; done && head -c 24M /dev/urandom > /dev/zvol/AREA/data && sync"
        );
        using var restore = await InterruptAsync(lab, "-9");

        Assert.Equal(JsonValueKind.Object, (await lab.FinishAsync()).GetProperty("resumed").ValueKind);
        await lab.AssertRestoredAsync();
    }

    [Theory]
    [InlineData("-INT", 130)]
    [InlineData("-TERM", 130)]
    public async Task A_restore_that_is_told_to_stop_keeps_what_it_received_and_says_how_to_go_on(
        string signal,
        int exitCode
    )
    {
        await using var lab = await RestoreLab.CreateAsync(host);
        using var restore = await InterruptAsync(lab, signal);

        Assert.Equal(exitCode, restore.ExitCode);
        Assert.Contains(
            $"What was received is kept in {lab.Partial}",
            await restore.StandardError.ReadToEndAsync(Token),
            StringComparison.Ordinal
        );
        var next = await lab.Client.RunAsync($"zfs-restore latest {lab.Target} --verbose");
        Assert.Contains("Resuming the interrupted restore", next.MustSucceed().Error, StringComparison.Ordinal);
        Assert.Matches("Fetching up to 4 parts at once, in .* of memory", next.Error);
        await lab.AssertRestoredAsync();
    }

    [Fact]
    public async Task Restart_drops_what_was_received()
    {
        await using var lab = await RestoreLab.CreateAsync(host);
        using var restore = await InterruptAsync(lab, "-9");

        var again = await lab.Client.RunAsync($"zfs-restore latest {lab.Target} --restart --json");

        Assert.False(JsonDocument.Parse(again.MustSucceed().Output).RootElement.TryGetProperty("resumed", out _));
        await lab.AssertRestoredAsync();
    }

    [Fact]
    public async Task Another_backup_does_not_go_on_where_the_first_stopped()
    {
        await using var lab = await RestoreLab.CreateAsync(host);
        await lab.Client.ShellAsync(
            $"zfs create {lab.Client.Area}/other && head -c 3M /dev/urandom > /{lab.Client.Area}/other/file && sync"
        );
        await lab.Client.JsonAsync($"zfs-client backup --dataset {lab.Client.Area}/other");
        using var restore = await InterruptAsync(lab, "-9", $"--source {lab.Source}");

        var other = await lab.Client.RunAsync($"zfs-restore latest {lab.Target} --source {lab.Client.Area}/other");

        Assert.Contains(
            "left by an interrupted restore: it was received from other backups",
            other.MustSucceed().Error,
            StringComparison.Ordinal
        );
        Assert.Equal(
            "file",
            await lab.Client.ShellAsync(
                $"zfs-restore mount {lab.Target} {lab.Client.Folder}/look >/dev/null 2>&1; ls "
                    + $"{lab.Client.Folder}/look; zfs unmount {lab.Target} 2>/dev/null || true"
            )
        );
        await lab.AssertNoTracesAsync();
    }

    [Fact]
    public async Task A_backup_that_was_added_to_the_chain_meanwhile_is_received_behind_what_is_there()
    {
        await using var lab = await RestoreLab.CreateAsync(host);
        using var restore = await InterruptAsync(lab, "-9");
        await lab.Client.ShellAsync($"cd /{lab.Source} && head -c 3M /dev/urandom > more && sync");
        await lab.BackUpAsync();

        var result = await lab.FinishAsync();

        Assert.EndsWith(
            result.GetProperty("received")[0].GetString()!,
            result.GetProperty("resumed").GetProperty("snapshot_id").GetString(),
            StringComparison.Ordinal
        );
        await lab.AssertRestoredAsync();
    }

    [Fact]
    public async Task A_forced_restore_that_was_interrupted_leaves_the_old_dataset_and_goes_on()
    {
        await using var lab = await RestoreLab.CreateAsync(host);
        await lab.Client.ShellAsync($"zfs create {lab.Target} && echo precious > /{lab.Target}/file");
        using var restore = await InterruptAsync(lab, "-9", "--force");

        Assert.Equal("precious", await lab.Client.ShellAsync($"cat /{lab.Target}/file"));
        Assert.Equal(JsonValueKind.Object, (await lab.FinishAsync("--force")).GetProperty("resumed").ValueKind);
        await lab.AssertRestoredAsync();
    }

    [Theory]
    [InlineData(nameof(NetworkFault.Reset))]
    [InlineData(nameof(NetworkFault.CutAnswers))]
    [InlineData(nameof(NetworkFault.Away))]
    [InlineData(nameof(NetworkFault.Silence))]
    public async Task A_restore_comes_through_a_network_that_fails(string fault)
    {
        await using var lab = await RestoreLab.CreateAsync(host);
        await using var proxy = new TcpProxy(lab.Server.Port);
        await lab.SetAsync($"SERVER_URL=http://{host.ServerAddress}:{proxy.Port}", "RETRY_TIME=300");
        proxy.Fault = NetworkFault.Delay;
        using var restore = lab.StartRestore("--json");
        for (var round = 0; round < (fault == nameof(NetworkFault.Silence) ? 1 : 4); round++)
        {
            var before = proxy.ToClient;
            await Patience.UntilAsync("bytes come", () =>
                restore.HasExited || proxy.ToClient > before + (2 * Mebibyte)
            );
            proxy.Fault = Enum.Parse<NetworkFault>(fault);
            // It waits a minute for a byte.
            await Task.Delay(
                fault == nameof(NetworkFault.Silence) ? TimeSpan.FromSeconds(63) : TimeSpan.FromSeconds(1),
                Token
            );
            if (fault == nameof(NetworkFault.Silence))
                proxy.Fault = NetworkFault.Reset;
            proxy.Fault = NetworkFault.Delay;
        }

        proxy.Fault = NetworkFault.None;
        var said =
            await restore.StandardOutput.ReadToEndAsync(Token) + await restore.StandardError.ReadToEndAsync(Token);
        await restore.WaitForExitAsync(Token);
        Assert.True(restore.ExitCode == 0, $"exit code {restore.ExitCode}: {said}");
        await lab.AssertRestoredAsync();
    }

    /// <summary>Ends a restore when something was received, and not all.</summary>
    private static async Task<System.Diagnostics.Process> InterruptAsync(
        RestoreLab lab,
        string signal,
        string options = ""
    )
    {
        await using var proxy = new TcpProxy(lab.Server.Port) { Fault = NetworkFault.Delay };
        await lab.SetAsync($"SERVER_URL=http://{lab.Client.Host.ServerAddress}:{proxy.Port}");
        var restore = lab.StartRestore(options);
        await Patience.UntilAsync("half of it came", () => proxy.ToClient > 8 * Mebibyte);
        proxy.Fault = NetworkFault.Silence; // however long the kill takes, nothing more comes
        await lab.Client.KillAsync("zfs-restore", signal[1..]);
        await restore.WaitForExitAsync(Token);
        await lab.SetAsync();
        await lab.WaitForTokenAsync();
        return restore;
    }
}
