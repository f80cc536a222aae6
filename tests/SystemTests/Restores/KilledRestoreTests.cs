using System.Diagnostics;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.SystemTests.Streams;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>
/// Either side is killed at random moments of a restore; each time the next run goes on, and at the end all is there.
/// </summary>
[Collection("zfs-2")]
public sealed class KilledRestoreTests(SecondZfsHost host)
{
    /// <summary>An emulated machine takes some ten seconds for each.</summary>
    private static int Kills { get; } = GuestScripts.IsSoak ? 50 : 15;

    private static int Seed { get; } =
        int.TryParse(Environment.GetEnvironmentVariable("ZSM_SEED"), out var given) ? given : 11;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_restore_that_is_killed_at_random_moments_goes_on_each_time()
    {
        await using var lab = await RestoreLab.CreateAsync(host);
        await AddIncrementalAsync(lab);
        Assert.True((await lab.DescribeStoredAsync()).HasStates);
        var whole = await lab.MeasureAsync();
        var random = NewRandom();
        var (kills, resumed) = (0, 0);
        while (kills < Kills)
        {
            using var restore = lab.StartRestore("--json");
            await Task.Delay(whole * random.NextDouble(), Token);
            await lab.KillRestoreAsync();
            if (await WasResumedAsync(restore))
                resumed++;
            if (restore.ExitCode == 0)
                await lab.AssertNoMarksAsync();
            else
                kills++;
            if ((await host.RunAsync($"zfs list {lab.Target}")).ExitCode != 0)
            {
                Assert.NotEqual(0, restore.ExitCode);
                continue;
            }

            await lab.AssertRestoredAsync(); // what has the name is whole, whenever the kill came
            await lab.UndoAsync();
        }

        if ((await lab.FinishAsync()).TryGetProperty("resumed", out _))
            resumed++;
        await lab.AssertRestoredAsync();
        await lab.AssertNoMarksAsync();
        Assert.True(resumed > 0, "no run went on where another was killed");
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{kills} kills, {resumed} restores ended that had been interrupted"
        );
    }

    [Fact]
    public async Task A_server_that_is_killed_at_random_moments_ends_a_restore_without_patience_and_the_next_one_goes_on()
    {
        await using var lab = await RestoreLab.CreateAsync(host);
        await AddIncrementalAsync(lab);
        await lab.SetAsync("RETRY_TIME=0");
        var whole = await lab.MeasureAsync();
        var random = NewRandom();
        var resumed = 0;
        for (var kill = 0; kill < Kills; kill++)
        {
            using var restore = lab.StartRestore("--json");
            await Task.Delay(whole * random.NextDouble(), Token);
            await lab.Server.KillAsync();
            if (await WasResumedAsync(restore))
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
        Assert.True(resumed > 0, "no run went on where another ended");
    }

    [Fact]
    public async Task A_patient_restore_comes_through_a_server_that_is_killed_again_and_again()
    {
        await using var lab = await RestoreLab.CreateAsync(host);
        await using var proxy = new TcpProxy(lab.Server.Port);
        await lab.SetAsync(
            $"SERVER_URL=http://{host.ServerAddress}:{proxy.Port}",
            "RETRY_TIME=120",
            "DOWNLOAD_PARALLEL=2"
        );
        proxy.Fault = NetworkFault.Delay; // so that it lasts some seconds
        using var restore = lab.StartRestore("--json");
        var random = NewRandom();
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

    /// <summary>So that interruptions also fall between two backups, and into the second.</summary>
    private static async Task AddIncrementalAsync(RestoreLab lab)
    {
        await lab.Client.ShellAsync($"cd /{lab.Source} && head -c 8M /dev/urandom > more && rm file1* && sync");
        await lab.BackUpAsync();
    }

    private static async Task<bool> WasResumedAsync(Process restore)
    {
        var output = await restore.StandardOutput.ReadToEndAsync(Token);
        await restore.WaitForExitAsync(Token);
        return restore.ExitCode == 0 && output.Contains("\"resumed\"", StringComparison.Ordinal);
    }

    private static Random NewRandom()
    {
        TestContext.Current.TestOutputHelper!.WriteLine($"ZSM_SEED={Seed}");
        return new Random(Seed);
    }
}
