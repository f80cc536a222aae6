using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>
/// What uploads into a server's ZFS need of real ZFS: that it keeps what it received of an interrupted stream and when,
/// its quotas and its permissions. See <see cref="LocalUploadTests"/>, <see cref="LocalRaceTests"/> and
/// <see cref="LocalCrashTests"/> for all that can happen to them.
/// </summary>
[Collection("zfs-2")]
public sealed class LocalUploadOnZfsTests(SecondZfsHost host)
{
    [Fact]
    public async Task A_received_stream_that_cannot_be_protected_is_not_kept()
    {
        await using var lab = await LocalLab.CreateAsync(host);
        await lab.Client.ShellAsync($"zfs snapshot {lab.Source}@one");
        await host.OutputAsync($"zfs unallow -u backup exec {lab.Base}");

        var refused = await lab.SendAsync($"zfs send -L {lab.Source}@one");

        refused.AssertRefused(500, "receive_failed", "exec=off");
        Assert.EndsWith(
            $": zfs allow -u backup exec {lab.Parent}",
            refused.Json.GetProperty("remedy").GetString(),
            StringComparison.Ordinal
        );
        Assert.Empty(await lab.ReceivedNamesAsync());
    }

    [Fact]
    public Task A_backup_resumes_after_the_server_was_killed_and_restarted() =>
        HeldStream.AssertSurvivesServerKillAsync(host);

    [Fact]
    public Task A_backup_whose_commit_was_interrupted_after_its_snapshot_is_listed_once() =>
        InterruptedCommit.RunAsync(host, "after receive", 3);

    [Fact]
    public async Task An_interrupted_upload_does_not_displace_a_faster_one()
    {
        await using var race = await UploadRace.CreateAsync(host);
        var (first, second) = await race.AnnounceTwoAsync();
        using (var body = first.StartBody())
        {
            await race.WaitForReceiveAsync("one");
            (await second.SendAsync()).AssertRefused(503, "server_busy");
            await first.KillBodyAsync();
            await Patience.WaitForEndAsync(body, "curl");
        }

        await Patience.UntilAsync("ZFS has written down what it had of the first one", async () =>
        {
            var sent = await second.SendAsync();
            if (sent.Status != 200)
                sent.AssertRefused(503, "server_busy");
            return sent.Status == 200;
        });
        (await second.CompleteAsync()).MustSucceed();

        (await first.SendAsync()).AssertRefused(409, "base_missing", "not the newest");
        await race.AssertHoldsAsync("tank_sent@base", "tank_sent@two");
    }

    [Fact]
    public async Task A_quota_holds_to_the_byte_and_a_stream_beyond_it_leaves_nothing()
    {
        await using var lab = await LocalLab.CreateAsync(host, "--max-size 6MiB");
        await lab.FillAsync("data", 3);
        await lab.BackUpAsync();
        await lab.FillAsync("more", 8);

        var refused = await lab.Client.RunAsync("zfs-client backup --json");

        Assert.Equal(10, refused.ExitCode);
        Assert.Contains("quota_exceeded", refused.Output, StringComparison.Ordinal);
        Assert.Equal(2, (await lab.ReceivedNamesAsync()).Length);
        Assert.Equal("6291456", await host.OutputAsync($"zfs get -H -p -o value quota {lab.Parent}"));
        (await lab.ServerAsync($"client set {lab.Client.Id} --max-size 0")).MustSucceed();
        Assert.Equal("incremental", (await lab.BackUpAsync()).GetProperty("kind").GetString());
    }
}
