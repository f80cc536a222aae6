using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>
/// Either side is killed at random moments of a restore; each time the next run resumes, and at the end everything is
/// restored. On the stand-in for <c>zfs</c>; see also <see cref="KilledRestoreOnZfsTests"/>.
/// </summary>
public sealed class KilledRestoreTests
{
    private static int Kills { get; } = RandomTest.Count(few: 8, many: 200);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_restore_that_is_killed_at_random_moments_is_resumed_each_time()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        await using var proxy = lab.SlowDown();
        await lab.SetAsync($"SERVER_URL=http://127.0.0.1:{proxy.Port}");
        await lab.RunKilledAtRandomAsync(Kills);
    }

    [Fact]
    public async Task A_server_killed_at_random_moments_ends_a_restore_without_retries_and_the_next_one_resumes()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        await lab.AddIncrementalAsync();
        await using var proxy = lab.SlowDown();
        await lab.SetAsync($"SERVER_URL=http://127.0.0.1:{proxy.Port}", "RETRY_TIME=0");
        var whole = await lab.MeasureAsync();
        var random = RandomTest.Random();
        var resumed = 0;
        for (var kill = 0; kill < Kills; kill++)
        {
            using var restore = lab.StartRestore("--json");
            await Task.Delay(whole * random.NextDouble(), Token);
            await lab.Server.KillAsync();
            if (await RestoreLab.WasResumedAsync(restore))
                resumed++;
            Assert.Contains(restore.ExitCode, (int[])[0, 4]);
            await lab.Server.StartAgainAsync();
            if (restore.ExitCode != 0)
                continue;
            await lab.AssertRestoredAsync();
            await lab.UndoAsync();
        }

        if ((await lab.FinishAsync()).TryGetProperty("resumed", out _))
            resumed++;
        await lab.AssertRestoredAsync();
        RestoreLab.AssertSomeResumed(resumed, Kills);
    }

    [Fact]
    public async Task A_patient_restore_comes_through_a_server_that_is_killed_again_and_again()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        await using var proxy = new TcpProxy(lab.Server.Port) { Fault = NetworkFault.Delay }; // it lasts some seconds
        await lab.SetAsync(
            $"SERVER_URL=http://{lab.Client.Host.ServerAddress}:{proxy.Port}",
            "RETRY_TIME=120",
            "DOWNLOAD_PARALLEL=2"
        );
        using var restore = lab.StartRestore("--json");
        var random = RandomTest.Random();
        for (var kill = 0; kill < 5; kill++)
        {
            var before = proxy.ToClient;
            await Patience.UntilAsync("bytes come again", () => restore.HasExited || proxy.ToClient > before + 200_000);
            await Task.Delay(random.Next(500), Token);
            await lab.Server.KillAsync();
            await Task.Delay(random.Next(1000), Token);
            await lab.Server.StartAgainAsync();
        }

        proxy.Fault = NetworkFault.None;
        var error = await restore.StandardError.ReadToEndAsync(Token);
        await restore.WaitForExitAsync(Token);
        Assert.True(restore.ExitCode == 0, error);
        await lab.AssertRestoredAsync();
    }
}
