using System.Diagnostics;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>
/// What is stored of a backup that fails is kept, unless it is proven useless, and no run repeats what the one before
/// it did in vain. On the stand-in for <c>zfs</c>.
/// </summary>
public sealed class FailedUploadTests
{
    private readonly StandInHost _host = new();

    [Fact]
    public async Task A_damaged_block_is_named_and_stands_in_the_way_of_nothing_once_its_file_is_gone()
    {
        await using var lab = await CreateWithOtherAsync();
        await _host.OutputAsync($"zfs stand-in damage {lab.Dataset} large");
        for (var run = 1; run <= 3; run++)
        {
            var failed = await lab.Client.RunAsync("zfs-client backup");

            Assert.Equal(6, failed.ExitCode);
            Assert.Contains("Input/output error", failed.Error, StringComparison.Ordinal);
            Assert.Contains("'zpool status -v tank'", failed.Error, StringComparison.Ordinal);
            Assert.Contains("the next run resumes from there", failed.Error, StringComparison.Ordinal);
            Assert.Contains($"Backed up {lab.Client.Area}/other@", failed.Output, StringComparison.Ordinal);
            if (run > 1)
                Assert.Contains("cannot be resumed; the backup starts over", failed.Error, StringComparison.Ordinal);
            Assert.Single(await lab.Client.SnapshotsOfAsync(lab.Dataset)); // one is kept, and no more
        }

        await _host.OutputAsync($"zfs stand-in remove {lab.Dataset} large");

        (await lab.Client.RunAsync("zfs-client backup")).MustSucceed();
        await AssertNothingOpenAsync(lab);
    }

    [Fact]
    public async Task A_block_that_can_be_read_again_lets_the_backup_resume()
    {
        await using var lab = await BackupLab.CreateAsync(_host);
        await _host.OutputAsync($"zfs stand-in damage {lab.Dataset} large");
        Assert.Equal(6, (await lab.Client.RunAsync("zfs-client backup")).ExitCode);
        await _host.OutputAsync($"zfs stand-in repair {lab.Dataset} large");

        var next = await lab.Client.JsonAsync("zfs-client backup");

        // All that zfs send had sent is there, but for what did not fill a part.
        Assert.InRange(next.GetProperty("resumed").GetProperty("from_bytes").GetInt64(), 4 << 20, 7 << 20);
        await lab.AssertAllRestoreAsync(2);
    }

    [Fact]
    public async Task A_zfs_send_that_crashes_at_the_same_place_starts_over_once()
    {
        await using var lab = await BackupLab.CreateAsync(_host);
        _host.CrashSend(6 << 20);
        var first = await lab.Client.RunAsync("zfs-client backup");
        Assert.Equal(6, first.ExitCode);
        Assert.Contains("exit code 139", first.Error, StringComparison.Ordinal);
        var kept = Assert.Single(await lab.Client.GuidsOfAsync(lab.Dataset));
        _host.CrashSend(100_000);

        var second = await lab.Client.RunAsync("zfs-client backup");

        Assert.Equal(6, second.ExitCode);
        Assert.Contains("cannot be resumed; the backup starts over", second.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(kept, await lab.Client.GuidsOfAsync(lab.Dataset));
        _host.CrashSend(null);
        (await lab.Client.RunAsync("zfs-client backup")).MustSucceed();
        await lab.AssertAllRestoreAsync(1);
    }

    [Fact]
    public async Task A_zfs_that_refuses_estimates_still_sends_everything()
    {
        await using var lab = await BackupLab.CreateAsync(_host);
        _host.RefuseEstimates();

        var full = await lab.Client.JsonAsync("zfs-client backup");
        await lab.Client.WriteAsync("data", ("small", 8));
        var next = await lab.Client.JsonAsync("zfs-client backup");

        Assert.Equal(("full", "incremental"), (Kind(full), Kind(next)));
        await lab.AssertAllRestoreAsync(2);

        static string? Kind(System.Text.Json.JsonElement backup) => backup.GetProperty("kind").GetString();
    }

    [Fact]
    public async Task A_server_whose_disk_is_full_keeps_what_it_has_and_the_next_run_resumes()
    {
        await using var lab = await CreateWithOtherAsync();
        await using var proxy = new FaultProxy($"127.0.0.1:{lab.Server.Port}");
        await lab.SetAsync(Past(proxy), Datasets(lab), "UPLOAD_PARALLEL=1");
        proxy.Add(Fault.StorageFull, IsPart(8), times: int.MaxValue);

        var full = await lab.Client.RunAsync("zfs-client backup");

        Assert.Equal(10, full.ExitCode);
        Assert.Contains("the next run resumes from there", full.Error, StringComparison.Ordinal);
        Assert.Contains($"Backed up {lab.Client.Area}/other@", full.Output, StringComparison.Ordinal);
        proxy.Forget();
        var next = (await lab.Client.RunAsync("zfs-client backup")).MustSucceed();
        Assert.Contains("which was interrupted after", next.Output, StringComparison.Ordinal);
        await AssertNothingOpenAsync(lab);
    }

    [Fact]
    public async Task An_upload_that_the_store_lost_is_begun_again_in_the_same_run_and_once_only()
    {
        await using var lab = await BackupLab.CreateAsync(_host);
        await using var proxy = new FaultProxy($"127.0.0.1:{lab.Server.Port}");
        await lab.SetAsync(Past(proxy));
        proxy.Add(Fault.UploadLost, IsPart(5));

        var backup = (await lab.Client.RunAsync("zfs-client backup")).MustSucceed();

        Assert.Contains("is sent again from its start", backup.Error, StringComparison.Ordinal);
        await lab.AssertAllRestoreAsync(1);
        await lab.ChangeAsync();
        proxy.Add(Fault.UploadLost, IsPart(5), times: 2);
        var twice = await lab.Client.RunAsync("zfs-client backup");
        Assert.Equal(9, twice.ExitCode);
        await AssertNothingOpenAsync(lab);
    }

    [Fact]
    public async Task A_part_that_never_gets_through_ends_the_run_and_the_others_do_not_run_ahead()
    {
        await using var lab = await BackupLab.CreateAsync(_host);
        await lab.Client.WriteAsync("data", ("more", 40 << 20));
        await using var proxy = new FaultProxy($"127.0.0.1:{lab.Server.Port}");
        await lab.SetAsync(Past(proxy), "RETRY_TIME=3", "UPLOAD_PARALLEL=2");
        proxy.Add(Fault.SlowDown, IsPart(3), times: int.MaxValue);

        var failed = await lab.Client.RunAsync("zfs-client backup");

        Assert.Equal(11, failed.ExitCode);
        Assert.Contains("503", failed.Error, StringComparison.Ordinal);
        Assert.Contains("the next run resumes from there", failed.Error, StringComparison.Ordinal);
        var furthest = proxy
            .Requests.Where(request => request.Path.Contains("/parts/", StringComparison.Ordinal))
            .Max(request => int.Parse(request.Path.Split('/')[^1]));
        Assert.InRange(furthest, 4, 2 + (2 * 4));
    }

    /// <summary>The server answers everything else, so it is not what fails.</summary>
    [Fact]
    public async Task A_dataset_that_the_server_does_not_take_costs_no_other_dataset_its_backup()
    {
        await using var lab = await CreateWithOtherAsync();
        await using var proxy = new FaultProxy($"127.0.0.1:{lab.Server.Port}");
        await lab.SetAsync(Past(proxy), Datasets(lab), "RETRY_TIME=2");
        proxy.Add(Fault.SlowDown, IsPart(3), times: int.MaxValue);

        var run = await lab.Client.RunAsync("zfs-client backup");

        Assert.Equal(11, run.ExitCode);
        Assert.Contains($"{lab.Dataset} is not backed up", run.Error, StringComparison.Ordinal);
        Assert.Contains($"Backed up {lab.Client.Area}/other@", run.Output, StringComparison.Ordinal);
        proxy.Add(Fault.SlowDown, request => request.Path.EndsWith("/status", StringComparison.Ordinal), times: 1);
        var ended = await lab.Client.RunAsync("zfs-client backup");
        Assert.Equal(11, ended.ExitCode);
        Assert.DoesNotContain("Backed up", ended.Output, StringComparison.Ordinal);
    }

    /// <summary>It may be the first part that the server refuses: then nothing of this run is stored yet.</summary>
    [Fact]
    public async Task An_upload_that_another_run_took_over_is_left_to_it_with_its_snapshot()
    {
        await using var lab = await BackupLab.CreateAsync(_host);
        await using var proxy = new FaultProxy($"127.0.0.1:{lab.Server.Port}");
        await lab.SetAsync(Past(proxy), "UPLOAD_PARALLEL=1");
        proxy.Add(Fault.UploadReplaced, IsPart(1), times: int.MaxValue);

        var run = await lab.Client.RunAsync("zfs-client backup");

        Assert.Equal(9, run.ExitCode);
        Assert.Contains("Another run sends it now", run.Error, StringComparison.Ordinal);
        var snapshot = Assert.Single(await lab.Client.SnapshotsOfAsync(lab.Dataset));
        Assert.NotEmpty(await lab.Client.ShellAsync($"zfs holds -H {snapshot}"));
        Assert.DoesNotContain(proxy.Requests, request => request.Method == "DELETE");
    }

    [Fact]
    public async Task A_server_that_is_away_when_a_run_begins_delays_it_and_no_more()
    {
        await using var lab = await BackupLab.CreateAsync(_host);
        await using var proxy = new FaultProxy($"127.0.0.1:{lab.Server.Port}");
        await lab.SetAsync(Past(proxy));
        proxy.GoAway();
        using var backup = lab.Client.Start("exec zfs-client backup");
        await WaitUntilItWaitsAsync(backup);

        proxy.ComeBack();

        await lab.EndAsync(backup, 0);
        await lab.AssertAllRestoreAsync(1);
    }

    [Theory]
    [InlineData("zfs-restore latest AREA/restored")]
    [InlineData("zfs-client rotate-remote")]
    public async Task A_server_that_is_away_when_another_command_begins_delays_it_too(string line)
    {
        await using var lab = await BackupLab.CreateAsync(_host);
        (await lab.Client.RunAsync("zfs-client backup")).MustSucceed();
        await using var proxy = new FaultProxy($"127.0.0.1:{lab.Server.Port}");
        await lab.SetAsync(Past(proxy));
        proxy.GoAway();
        using var command = lab.Client.Start($"exec {line.Replace("AREA", lab.Client.Area, StringComparison.Ordinal)}");
        await WaitUntilItWaitsAsync(command);

        proxy.ComeBack();

        await lab.EndAsync(command, 0);
    }

    /// <summary>A second dataset, which is backed up after the first one.</summary>
    private async Task<BackupLab> CreateWithOtherAsync()
    {
        var lab = await BackupLab.CreateEmptyAsync(_host, 1, "data", "other");
        await lab.ChangeAsync();
        await lab.Client.WriteAsync("other", ("small", 9));
        await lab.SetAsync(Datasets(lab));
        return lab;
    }

    private static async Task WaitUntilItWaitsAsync(Process command)
    {
        string? said = "";
        while (!said.Contains("waiting for the server", StringComparison.Ordinal))
        {
            said = await command.StandardError.ReadLineAsync(TestContext.Current.CancellationToken);
            Assert.True(said is not null, "the command ended without waiting for the server");
        }
    }

    private static string Datasets(BackupLab lab) => $"LOCAL_DATASET={lab.Dataset},{lab.Client.Area}/other";

    private static string Past(FaultProxy proxy) => $"SERVER_URL=http://{proxy.Endpoint}";

    private static Func<S3Request, bool> IsPart(int number) =>
        request => request.Path.EndsWith($"/parts/{number}", StringComparison.Ordinal);

    private static async Task AssertNothingOpenAsync(BackupLab lab)
    {
        var status = await lab.Client.JsonAsync("zfs-client status");
        Assert.Equal(0, status.GetProperty("open_uploads").GetInt32());
    }
}
