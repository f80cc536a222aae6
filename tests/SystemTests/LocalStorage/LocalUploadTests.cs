using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>
/// Streams into a server's ZFS that are damaged, or interrupted on either side. <see cref="LocalUploadOnZfsTests"/> has
/// what depends on real ZFS.
/// </summary>
public sealed class LocalUploadTests
{
    private readonly StandInHost _host = new();

    [Fact]
    public async Task Damaged_or_truncated_streams_and_packages_leave_nothing()
    {
        await using var lab = await LocalLab.CreateAsync(_host);
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
        (await lab.SendAsync($"gunzip < {Recorded.PathOf("properties")}")).AssertRefused(422, "stream_is_package");

        Assert.Empty(await lab.ReceivedNamesAsync());
        (await lab.SendAsync(send)).MustSucceed();
        Assert.Equal([$"{lab.Parent}/tank_sent", $"{lab.Parent}/tank_sent@one"], await lab.ReceivedNamesAsync());
    }

    [Fact]
    public Task A_backup_resumes_after_the_server_was_killed_and_restarted() =>
        HeldStream.AssertSurvivesServerKillAsync(_host);

    [Fact]
    public async Task A_stopped_server_keeps_what_it_has_received_and_the_same_backup_resumes()
    {
        await using var lab = await LocalLab.CreateAsync(_host);
        using var backup = await HeldStream.StartBackupAsync(lab);

        await lab.StopServerAsync();
        Assert.NotEqual("-", await HeldStream.TokenAsync(lab, lab.Received));
        await lab.StartServerAsync();
        await lab.Client.ReleaseAsync();

        await HeldStream.AssertEndsAsync(lab, backup);
    }

    [Fact]
    public async Task The_next_backup_resumes_where_a_killed_client_stopped()
    {
        await using var lab = await LocalLab.CreateAsync(_host);
        using (var backup = await HeldStream.StartBackupAsync(lab))
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
        await HeldStream.AssertRestoresAsync(lab);
    }
}
