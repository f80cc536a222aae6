using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>The client is killed at random moments of its backups; the next run always resumes.</summary>
public sealed class KilledClientTests(ITestOutputHelper output)
{
    /// <summary>Runs that are killed before one is left to end.</summary>
    private const int KillsInARow = 2;

    /// <summary>Random moments at which the client is killed.</summary>
    private static int Kills { get; } = RandomTest.Count(few: 12, many: 300);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Killed_at_random_moments_it_always_resumes_and_every_backup_restores()
    {
        var random = RandomTest.Random();
        await using var lab = await BackupLab.CreateAsync(new StandInHost(), "BANDWIDTH_LIMIT=8M");
        var client = lab.Client;
        await client.JsonAsync("zfs-client backup");
        var start = TimeProvider.System.GetTimestamp();
        await client.JsonAsync("zfs-client backup");
        var unchanged = TimeProvider.System.GetElapsedTime(start); // what a run takes besides sending
        var resumed = 0;
        for (var kill = 0; kill < Kills; kill++)
        {
            var megabytes = random.Next(2, 7);
            await client.WriteAsync("data", ($"file{random.Next(5)}", megabytes << 20), ($"small{random.Next(5)}", 9));
            await client.Host.RemoveAsync(lab.Dataset, $"small{random.Next(5)}");
            var sending = TimeSpan.FromSeconds(megabytes / 8.0);
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
        output.WriteLine($"{Kills} kills, {resumed} runs that resumed, {backups} backups");
        Assert.InRange(resumed, 1, Kills);
        await lab.AssertAllRestoreAsync(backups);
    }
}
