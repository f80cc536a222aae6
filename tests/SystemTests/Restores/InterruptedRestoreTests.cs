using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>
/// A restore that was interrupted: what stays, what resumes, what starts over. On the stand-in for <c>zfs</c>; see also
/// <see cref="InterruptedRestoreOnZfsTests"/>.
/// </summary>
public sealed class InterruptedRestoreTests
{
    private const int Mebibyte = 1024 * 1024;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public async Task A_restore_that_is_told_to_stop_keeps_what_it_received_and_says_how_to_go_on(
        string signal,
        int exitCode
    )
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        using var restore = await lab.InterruptAsync(signal);

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
    public async Task A_backup_that_was_stored_as_a_whole_is_resumed_too()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost(), inParts: false);
        Assert.False((await lab.DescribeStoredAsync()).HasStates);
        using var restore = await lab.InterruptAsync("KILL");

        await AssertResumesAsync(lab);
    }

    [Fact]
    public async Task A_backup_with_a_manifest_of_version_1_is_resumed_and_continued_by_an_incremental()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        var objects = Path.Combine(lab.Server.DataFolder, "objects");
        var manifest = Assert.Single(Directory.GetFiles(objects, "*.manifest.json", SearchOption.AllDirectories));
        await EarlierManifest.RewriteAsync(manifest);
        using var restore = await lab.InterruptAsync("KILL");
        await lab.AddIncrementalAsync();

        await AssertResumesAsync(lab);
    }

    [Fact]
    public async Task A_restore_that_is_killed_leaves_no_dataset_of_that_name_and_can_be_repeated()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        using var restore = await lab.InterruptAsync("KILL");

        Assert.NotEqual(0, (await lab.Client.Host.RunAsync($"zfs list {lab.Target}")).ExitCode);
        await lab.FinishAsync();
        await lab.AssertRestoredAsync();
    }

    [Fact]
    public async Task Restart_drops_what_was_received()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        using var restore = await lab.InterruptAsync("KILL");

        var again = await lab.Client.RunAsync($"zfs-restore latest {lab.Target} --restart --json");

        Assert.False(CommandJson.Result(again.MustSucceed().Output).TryGetProperty("resumed", out _));
        await lab.AssertRestoredAsync();
    }

    [Fact]
    public async Task A_backup_that_was_added_to_the_chain_meanwhile_is_received_behind_what_is_there()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        using var restore = await lab.InterruptAsync("KILL");
        await lab.Client.WriteAsync("data", ("more", 3 << 20));
        await lab.BackUpAsync();

        var result = await lab.FinishAsync();

        Assert.EndsWith(
            result.GetProperty("received")[0].GetString()!,
            result.GetProperty("resumed").GetProperty("snapshot_id").GetString(),
            StringComparison.Ordinal
        );
        await lab.AssertRestoredAsync();
    }

    [Theory]
    [InlineData("KILL")]
    [InlineData("INT")]
    public async Task A_forced_restore_that_was_interrupted_leaves_the_old_dataset_and_is_resumed(string signal)
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        await lab.Client.ShellAsync($"zfs create {lab.Target}");
        await lab.Client.WriteAsync("restored", ("precious", 512));
        var before = await lab.Client.TreeOfAsync(lab.Target);
        using var restore = await lab.InterruptAsync(signal, $"--force --source {lab.Source}");

        if (signal == "INT")
        {
            Assert.Equal(130, restore.ExitCode);
            Assert.Contains(
                $"What was received is kept in {lab.Partial}",
                await restore.StandardError.ReadToEndAsync(Token),
                StringComparison.Ordinal
            );
        }

        Assert.Equal(before, await lab.Client.TreeOfAsync(lab.Target));
        Assert.Equal(
            JsonValueKind.Object,
            (await lab.FinishAsync($"--force --source {lab.Source}")).GetProperty("resumed").ValueKind
        );
        await lab.AssertRestoredAsync();
    }

    [Theory]
    [InlineData(nameof(NetworkFault.Reset))]
    [InlineData(nameof(NetworkFault.CutAnswers))]
    [InlineData(nameof(NetworkFault.Away))]
    public async Task A_restore_comes_through_a_network_that_fails(string fault)
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        await using var proxy = lab.SlowDown();
        await lab.SetAsync($"SERVER_URL=http://{lab.Client.Host.ServerAddress}:{proxy.Port}", "RETRY_TIME=300");
        using var restore = lab.StartRestore("--json");
        for (var round = 0; round < 4; round++)
        {
            var before = proxy.ToClient;
            await Patience.UntilAsync("bytes come", () =>
                restore.HasExited || proxy.ToClient > before + (2 * Mebibyte)
            );
            proxy.Fault = Enum.Parse<NetworkFault>(fault);
            await Task.Delay(TimeSpan.FromSeconds(1), Token);
            proxy.Fault = NetworkFault.Delay;
        }

        proxy.Fault = NetworkFault.None;
        var said =
            await restore.StandardOutput.ReadToEndAsync(Token) + await restore.StandardError.ReadToEndAsync(Token);
        await restore.WaitForExitAsync(Token);
        Assert.True(restore.ExitCode == 0, $"exit code {restore.ExitCode}: {said}");
        await lab.AssertRestoredAsync();
    }

    private static async Task AssertResumesAsync(RestoreLab lab)
    {
        Assert.InRange(
            (await lab.FinishAsync()).GetProperty("resumed").GetProperty("stream_bytes").GetInt64(),
            Mebibyte,
            long.MaxValue
        );
        await lab.AssertRestoredAsync();
    }
}
