using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>
/// Concurrent uploads of one client for the same dataset: ZFS receives only on the newest snapshot of a dataset, and
/// one stream at a time. <see cref="LocalUploadOnZfsTests"/> has the one that depends on when real ZFS has written down
/// what it received.
/// </summary>
public sealed class LocalRaceTests
{
    private readonly StandInHost _host = new();

    [Fact]
    public async Task Of_two_incrementals_from_one_base_the_first_is_kept_and_the_other_is_refused()
    {
        await using var race = await UploadRace.CreateAsync(_host);
        var (first, second) = await race.AnnounceTwoAsync();

        (await first.SendAsync()).MustSucceed();
        (await second.SendAsync()).AssertRefused(503, "server_busy", $"{race.Lab.Parent}/tank_sent");
        (await first.CompleteAsync()).MustSucceed();
        var refused = await second.SendAsync();

        refused.AssertRefused(409, "base_missing", "not the newest");
        Assert.Contains("backup-full", refused.Json.GetProperty("remedy").GetString(), StringComparison.Ordinal);
        (await second.DropAsync()).MustSucceed();
        await race.AssertHoldsAsync("tank_sent@base", "tank_sent@one");
    }

    [Fact]
    public async Task Of_two_incrementals_from_one_base_the_second_is_accepted_if_the_first_is_not_committed()
    {
        await using var race = await UploadRace.CreateAsync(_host);
        var (first, second) = await race.AnnounceTwoAsync();

        (await first.SendAsync()).MustSucceed();
        (await second.SendAsync()).AssertRefused(503, "server_busy");
        (await first.DropAsync()).MustSucceed();
        (await second.SendAsync()).MustSucceed();
        (await second.CompleteAsync()).MustSucceed();

        await race.AssertHoldsAsync("tank_sent@base", "tank_sent@two");
    }

    [Fact]
    public async Task Concurrent_full_uploads_of_one_source_get_their_own_datasets_and_a_snapshot_is_kept_once()
    {
        await using var race = await UploadRace.CreateAsync(_host);
        var lab = race.Lab;
        var same = await HeldUpload.AnnounceAsync(lab, $"zfs send -L {lab.Source}@one");
        var other = await HeldUpload.AnnounceAsync(lab, $"zfs send -L {lab.Source}@two");
        var again = await HeldUpload.AnnounceAsync(lab, $"zfs send -L {lab.Source}@one");
        var last = await HeldUpload.AnnounceAsync(lab, $"zfs send -L {lab.Source}@one");
        (await same.SendAsync()).MustSucceed();
        (await other.SendAsync()).MustSucceed();
        (await again.SendAsync()).MustSucceed();
        using var body = last.StartBody();
        await race.WaitForReceiveAsync("one", "tank_sent-5");

        (await again.CompleteAsync()).MustSucceed();
        (await other.CompleteAsync()).MustSucceed();
        (await same.CompleteAsync()).AssertRefused(409, "snapshot_exists");
        await lab.Host.OutputAsync($"touch {lab.Folder}/go");
        (await last.AnswerAsync(body)).AssertRefused(409, "snapshot_exists");

        await race.AssertHoldsAsync("tank_sent@base", "tank_sent-3@two", "tank_sent-4@one");
    }

    [Fact]
    public async Task Clients_that_back_up_one_dataset_concurrently_each_make_a_backup_or_report_the_other()
    {
        await using var lab = await LocalLab.CreateAsync(_host);
        await lab.FillAsync("data", 2);

        var runs = await Task.WhenAll(
            Enumerable.Range(0, 3).Select(_ => lab.Client.RunAsync("zfs-client backup --json"))
        );

        Assert.All(runs, run => Assert.True(run.ExitCode is 0 or 9, run.Text));
        var made = runs.Count(run => run.ExitCode == 0);
        Assert.InRange(made, 1, 3);
        Assert.Equal(made, (await lab.Client.ListBackupsAsync()).Length);
        Assert.Equal(made + 1, (await lab.ReceivedNamesAsync()).Length);
        await HeldStream.AssertRestoresAsync(lab);
    }
}
