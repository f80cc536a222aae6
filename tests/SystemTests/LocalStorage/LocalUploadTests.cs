using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>Streams into the server's ZFS that are damaged, too large, or interrupted on either side.</summary>
[Collection("zfs-2")]
public sealed class LocalUploadTests(SecondZfsHost host)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Damaged_or_truncated_streams_and_packages_leave_nothing()
    {
        await using var lab = await LocalLab.CreateAsync(host);
        await lab.FillAsync("data", 3);
        await lab.Client.ShellAsync($"zfs snapshot {lab.Source}@one");
        var send = $"zfs send -L {lab.Source}@one";

        (await lab.SendAsync($"{send} | head -c -312")).AssertRefused(422, "stream_damaged");
        (await lab.SendAsync($"{send} | head -c 2000000")).AssertRefused(422, "stream_damaged");
        (await lab.SendAsync($"{{ {send} | head -c 2000000; printf x; {send} | tail -c +2000002; }}")).AssertRefused(
            422,
            "stream_damaged"
        );
        (await lab.SendAsync($"{{ {send}; printf x; }}")).AssertRefused(422, "stream_damaged");
        (await lab.SendAsync($"zfs send -p {lab.Source}@one")).AssertRefused(422, "stream_is_package");

        Assert.Empty(await lab.ReceivedNamesAsync());
        (await lab.SendAsync(send)).MustSucceed();
        Assert.Equal([$"{lab.Parent}/tank_sent", $"{lab.Parent}/tank_sent@one"], await lab.ReceivedNamesAsync());
    }

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
    public async Task A_backup_resumes_after_the_server_was_killed_and_restarted()
    {
        await using var lab = await LocalLab.CreateAsync(host);
        using var backup = await StartHalfAsync(lab);

        await lab.KillServerAsync();
        await lab.StartServerAsync();
        await lab.Client.ReleaseAsync();

        await AssertEndedAsync(backup);
        Assert.Contains("receive_interrupted", await lab.LogAsync(), StringComparison.Ordinal);
        await AssertRestoresAsync(lab);
    }

    [Fact]
    public async Task A_stopped_server_keeps_what_it_has_received_and_the_same_backup_resumes()
    {
        await using var lab = await LocalLab.CreateAsync(host);
        using var backup = await StartHalfAsync(lab);

        await lab.StopServerAsync();
        Assert.NotEqual("-", await TokenAsync(lab, lab.Received));
        await lab.StartServerAsync();
        await lab.Client.ReleaseAsync();

        await AssertEndedAsync(backup);
        await AssertRestoresAsync(lab);
    }

    [Fact]
    public async Task The_next_backup_resumes_where_a_killed_client_stopped()
    {
        await using var lab = await LocalLab.CreateAsync(host);
        using (var backup = await StartHalfAsync(lab))
        {
            await lab.Client.KillAsync("zfs-client");
            await Patience.WaitForEndAsync(backup, "the backup");
            await lab.Client.ReleaseAsync();
        }

        // A run that only asks where to resume changes nothing for the next one.
        var guid = await lab.Client.GuidOfAsync(Assert.Single(await lab.Client.SnapshotsOfAsync(lab.Source)));
        for (var run = 0; run < 2; run++)
        {
            var answer = (
                await lab.CurlAsync(
                    $$"""-d '{"dataset_name":"{{lab.Source}}","snapshot_guid":"{{guid}}","incremental":false,"""
                        + "\"compression\":\"none\",\"storage_type\":\"local\"}' URL/upload"
                )
            ).MustSucceed();
            Assert.StartsWith(
                "1-",
                answer.Json.GetProperty("resume").GetProperty("receive_resume_token").GetString(),
                StringComparison.Ordinal
            );
        }

        var next = await lab.BackUpAsync();

        Assert.True(next.GetProperty("resumed").GetProperty("from_bytes").GetInt64() > 1_000_000);
        Assert.Equal("incremental", next.GetProperty("kind").GetString());
        await AssertRestoresAsync(lab);
    }

    [Fact]
    public async Task A_restore_resumes_where_it_was_interrupted()
    {
        await using var lab = await LocalLab.CreateAsync(host);
        await lab.FillAsync("data", 8);
        await lab.BackUpAsync();
        var partial = $"{lab.Client.Area}/restored.restoring";
        var hold = await lab.Client.HoldStreamsAsync();
        using (var restore = lab.Client.Start($"{hold} exec zfs-restore latest {lab.Client.Area}/restored"))
        {
            await WaitForTokenAsync(lab, partial);
            await lab.Client.KillAsync("zfs-restore");
            await Patience.WaitForEndAsync(restore, "the restore");
            await lab.Client.ReleaseAsync();
            Assert.NotEqual(0, restore.ExitCode);
        }

        // What it had started ends by itself, a moment later.
        await host.WaitForAsync("nothing receives any more", $"! pgrep -f '[z]fs receive .*{partial}'");

        var result = await lab.Client.JsonAsync($"zfs-restore latest {lab.Client.Area}/restored");
        Assert.True(result.GetProperty("resumed").GetProperty("stream_bytes").GetInt64() > 0);
        var source = (await lab.Client.SnapshotsOfAsync(lab.Source))[0];
        Assert.Equal(
            await lab.Client.TreeOfAsync(source),
            await lab.Client.TreeOfAsync($"{lab.Client.Area}/restored@{source.Split('@')[1]}")
        );
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

    /// <summary>Starts a backup and waits until it is half done, where it stays until it is released.</summary>
    private static async Task<System.Diagnostics.Process> StartHalfAsync(LocalLab lab)
    {
        await lab.FillAsync("data", 8);
        await lab.Client.WriteSettingsAsync($"LOCAL_DATASET={lab.Source}", "COMPRESSION=none");
        var hold = await lab.Client.HoldStreamsAsync();
        var backup = lab.Client.Start($"{hold} exec zfs-client backup --json");
        await WaitForTokenAsync(lab, lab.Received);
        return backup;
    }

    /// <summary>
    /// ZFS records its progress with each transaction group. A held stream makes no more of it.
    /// </summary>
    private static Task WaitForTokenAsync(LocalLab lab, string dataset) =>
        lab.Host.WaitForAsync(
            "ZFS has noted how far it came",
            $"before=$after; zpool sync {lab.Host.Pool}; after=$(zfs get -H -o value receive_resume_token {dataset}); "
                + "[ -n \"$after\" ] && [ \"$after\" != - ] && [ \"$after\" = \"$before\" ]"
        );

    private static Task<string> TokenAsync(LocalLab lab, string dataset) =>
        lab.Host.OutputAsync(
            $"zpool sync {lab.Host.Pool}; zfs get -H -o value receive_resume_token {dataset} 2>/dev/null || true"
        );

    private static async Task AssertEndedAsync(System.Diagnostics.Process backup)
    {
        await Patience.WaitForEndAsync(backup, "the backup");
        Assert.True(backup.ExitCode == 0, $"{backup.ExitCode}: {await backup.StandardOutput.ReadToEndAsync(Token)}");
    }

    private static async Task AssertRestoresAsync(LocalLab lab) =>
        await lab.AssertRestoresAsync(
            (await lab.Client.SnapshotsOfAsync(lab.Source)).Last(name => name.Contains('@', StringComparison.Ordinal))
        );
}
