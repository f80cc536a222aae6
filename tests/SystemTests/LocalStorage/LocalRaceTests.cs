using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>
/// Concurrent uploads of one client for the same dataset: ZFS receives only on the newest snapshot of a dataset, and
/// one stream at a time.
/// </summary>
[Collection("zfs-2")]
public sealed class LocalRaceTests(SecondZfsHost host)
{
    [Fact]
    public async Task Of_two_incrementals_from_one_base_the_first_is_kept_and_the_other_is_refused()
    {
        await using var lab = await CreateAsync();
        var (first, second) = await AnnounceTwoAsync(lab);

        (await first.SendAsync()).MustSucceed();
        (await second.SendAsync()).AssertRefused(503, "server_busy", $"{lab.Parent}/tank_sent");
        (await first.CompleteAsync()).MustSucceed();
        var refused = await second.SendAsync();

        refused.AssertRefused(409, "base_missing", "not the newest");
        Assert.Contains("backup-full", refused.Json.GetProperty("remedy").GetString(), StringComparison.Ordinal);
        (await second.DropAsync()).MustSucceed();
        await AssertHoldsAsync(lab, "tank_sent@base", "tank_sent@one");
    }

    [Fact]
    public async Task Of_two_incrementals_from_one_base_the_second_is_accepted_if_the_first_is_not_committed()
    {
        await using var lab = await CreateAsync();
        var (first, second) = await AnnounceTwoAsync(lab);

        (await first.SendAsync()).MustSucceed();
        (await second.SendAsync()).AssertRefused(503, "server_busy");
        (await first.DropAsync()).MustSucceed();
        (await second.SendAsync()).MustSucceed();
        (await second.CompleteAsync()).MustSucceed();

        await AssertHoldsAsync(lab, "tank_sent@base", "tank_sent@two");
    }

    [Fact]
    public async Task An_interrupted_upload_does_not_displace_a_faster_one()
    {
        await using var lab = await CreateAsync();
        var (first, second) = await AnnounceTwoAsync(lab);
        using (var body = first.StartBody())
        {
            await WaitForReceiveAsync(lab, "one");
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
        await AssertHoldsAsync(lab, "tank_sent@base", "tank_sent@two");
    }

    [Fact]
    public async Task Concurrent_full_uploads_of_one_source_get_their_own_datasets_and_a_snapshot_is_kept_once()
    {
        await using var lab = await CreateAsync();
        var same = await HeldUpload.AnnounceAsync(lab, $"zfs send -L {lab.Source}@one");
        var other = await HeldUpload.AnnounceAsync(lab, $"zfs send -L {lab.Source}@two");
        var again = await HeldUpload.AnnounceAsync(lab, $"zfs send -L {lab.Source}@one");
        var last = await HeldUpload.AnnounceAsync(lab, $"zfs send -L {lab.Source}@one");
        (await same.SendAsync()).MustSucceed();
        (await other.SendAsync()).MustSucceed();
        (await again.SendAsync()).MustSucceed();
        using var body = last.StartBody();
        await WaitForReceiveAsync(lab, "one", "tank_sent-5");

        (await again.CompleteAsync()).MustSucceed();
        (await other.CompleteAsync()).MustSucceed();
        (await same.CompleteAsync()).AssertRefused(409, "snapshot_exists");
        await host.OutputAsync($"touch {lab.Folder}/go");
        (await last.AnswerAsync(body)).AssertRefused(409, "snapshot_exists");

        await AssertHoldsAsync(lab, "tank_sent@base", "tank_sent-3@two", "tank_sent-4@one");
    }

    [Fact]
    public async Task Clients_that_back_up_one_dataset_concurrently_each_make_a_backup_or_report_the_other()
    {
        await using var lab = await LocalLab.CreateAsync(host);
        await lab.FillAsync("data", 2);

        var runs = await Task.WhenAll(
            Enumerable.Range(0, 3).Select(_ => lab.Client.RunAsync("zfs-client backup --json"))
        );

        Assert.All(runs, run => Assert.True(run.ExitCode is 0 or 9, run.Text));
        var made = runs.Count(run => run.ExitCode == 0);
        Assert.InRange(made, 1, 3);
        Assert.Equal(made, (await lab.Client.ListBackupsAsync()).Length);
        Assert.Equal(made + 1, (await lab.ReceivedNamesAsync()).Length);
        await lab.AssertRestoresAsync(
            (await lab.Client.SnapshotsOfAsync(lab.Source)).Last(name => name.Contains('@', StringComparison.Ordinal))
        );
    }

    /// <summary>A dataset with snapshots base, one and two, of which the server has the first.</summary>
    private async Task<LocalLab> CreateAsync()
    {
        var lab = await LocalLab.CreateAsync(host);
        foreach (var snapshot in (string[])["base", "one", "two"])
        {
            await lab.FillAsync(snapshot, 1);
            await lab.Client.ShellAsync($"zfs snapshot {lab.Source}@{snapshot}");
        }

        (await lab.SendAsync($"zfs send -L {lab.Source}@base")).MustSucceed();
        return lab;
    }

    private static async Task<(HeldUpload First, HeldUpload Second)> AnnounceTwoAsync(LocalLab lab) =>
        (
            await HeldUpload.AnnounceAsync(lab, $"zfs send -L -i @base {lab.Source}@one"),
            await HeldUpload.AnnounceAsync(lab, $"zfs send -L -i @base {lab.Source}@two")
        );

    private static Task WaitForReceiveAsync(LocalLab lab, string snapshot, string dataset = "tank_sent") =>
        Patience.UntilAsync("ZFS receives", async () =>
            (await lab.Host.RunAsync($"pgrep -f '[z]fs receive .*{lab.Parent}/{dataset}@{snapshot}'")).ExitCode == 0
        );

    /// <summary>
    /// These snapshots exist, are listed and can be restored; no others exist, and no receive is left partial.
    /// </summary>
    private static async Task AssertHoldsAsync(LocalLab lab, params string[] snapshots)
    {
        string[] names = [.. snapshots.Select(snapshot => $"{lab.Parent}/{snapshot}")];
        Assert.Equal(
            names.Select(name => name.Split('@')[0]).Distinct().Concat(names).Order(StringComparer.Ordinal),
            (await lab.ReceivedNamesAsync()).Order(StringComparer.Ordinal)
        );
        Assert.Equal(
            names.Order(StringComparer.Ordinal),
            (await lab.Client.ListBackupsAsync())
                .Select(backup => backup.GetProperty("storage_key").GetString()!)
                .Order(StringComparer.Ordinal)
        );
        Assert.DoesNotContain(
            await lab.Host.OutputAsync($"zfs get -H -r -t filesystem -o value receive_resume_token {lab.Parent}"),
            character => character is not ('-' or '\n')
        );
        (await lab.Client.RunAsync("zfs-restore verify all")).MustSucceed();
        (await lab.ServerAsync("catalogue check")).MustSucceed();
    }
}
